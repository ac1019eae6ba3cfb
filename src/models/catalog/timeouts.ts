import type { TimeoutsInput } from './input.ts';
import type { Deployment } from './snapshot.ts';

/**
 * Until something says otherwise: room for a long answer, and an end to one that never comes. A whole answer has as long as OpenAI's
 * own clients wait for it.
 */
const OTHERWISE = { connectMs: 10_000, firstByteMs: 120_000, answerMs: 600_000, idleMs: 120_000, totalMs: 1_800_000 };

/** In one order of fields, so that equal limits are equal texts; null where nothing is said. */
export function timeoutsText(timeouts: TimeoutsInput | undefined): string | null {
  if (!timeouts) return null;
  const { connectMs, firstByteMs, answerMs, idleMs, totalMs, retry } = timeouts;
  const text = JSON.stringify({ connectMs, firstByteMs, answerMs, idleMs, totalMs, retry });
  return text === '{}' ? null : text;
}

/** What holds for a deployment: its own words, then those of its model. */
export function timeoutsIn(
  ofModel: string | null,
  ofDeployment: string | null,
): Pick<Deployment, 'timeoutMs' | 'retriesTimeouts'> {
  const said: TimeoutsInput = { ...parsed(ofModel), ...parsed(ofDeployment) };
  return {
    timeoutMs: {
      connect: said.connectMs ?? OTHERWISE.connectMs,
      firstByte: said.firstByteMs ?? OTHERWISE.firstByteMs,
      answer: said.answerMs ?? OTHERWISE.answerMs,
      idle: said.idleMs ?? OTHERWISE.idleMs,
      total: said.totalMs ?? OTHERWISE.totalMs,
    },
    retriesTimeouts: said.retry ?? false,
  };
}

function parsed(text: string | null): TimeoutsInput | undefined {
  return text === null ? undefined : JSON.parse(text);
}
