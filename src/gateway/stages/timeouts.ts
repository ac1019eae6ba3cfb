import type { TimeoutsMs } from '../../models/catalog/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import type { UpstreamRequest } from '../../serving/engines/index.ts';

/**
 * How long one attempt may take. An answer that comes whole says nothing until it is whole, so its first byte has the time of
 * the answer. What the caller asked for (`leftMs`, of the whole request) takes the place of the limits of silence, longer or
 * shorter; only the deployment's total stands above it.
 */
export function timeoutsOf(
  { connect, firstByte, answer, idle, total }: TimeoutsMs,
  { stream }: Pick<Call, 'stream'>,
  leftMs: number | undefined,
): UpstreamRequest['timeoutMs'] {
  const first = stream ? firstByte : answer;
  if (leftMs === undefined) return { connect, firstByte: first, idle: stream ? idle : Math.max(idle, answer), total };
  const all = Math.max(1, Math.min(leftMs, total));
  return { connect: Math.min(connect, all), firstByte: all, idle: all, total: all };
}
