import { ANSWER_LENGTHS } from './data/answer-lengths.ts';
import type { Deployment } from './snapshot.ts';

const key = (host: string, model: string) => `${host} ${model}`;

const LENGTHS: ReadonlyMap<string, number> = new Map(
  ANSWER_LENGTHS.map(([host, model, tokens]) => [key(host, model), tokens]),
);

/** Longest answer that a vendor's model is known to give, by the vendor's host; undefined: not known. */
export function longestAnswerOf({
  upstream,
  upstreamModel,
}: Pick<Deployment, 'upstream' | 'upstreamModel'>): number | undefined {
  const host = URL.parse(upstream.baseUrl)?.hostname ?? '';
  return LENGTHS.get(key(host, upstreamModel));
}
