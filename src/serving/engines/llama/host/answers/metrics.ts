import type { SequencePool } from '../model/sequence-pool.ts';

/** Counters of one host since it started. */
export class EngineMetrics {
  promptTokens = 0;
  cachedTokens = 0;
  promptMs = 0;
  predictedTokens = 0;
  predictedMs = 0;
  decodes = 0;
  busyInDecodes = 0;
  requests = 0;
  failures = 0;
  refusals = 0;

  /** One evaluation of a batch in which `busy` sequences took part. */
  countDecode(busy: number): void {
    this.decodes += 1;
    this.busyInDecodes += busy;
  }
}

/** Prometheus text. The names that llama.cpp's server has too mean the same as there. */
export function renderMetrics(metrics: EngineMetrics, pool: SequencePool | undefined): string {
  const perSecond = (tokens: number, ms: number) => (ms > 0 ? (tokens / ms) * 1000 : 0);
  const rows: readonly (readonly [name: string, kind: 'counter' | 'gauge', help: string, value: number])[] = [
    ['prompt_tokens_total', 'counter', 'Prompt tokens evaluated.', metrics.promptTokens],
    ['prompt_tokens_cached_total', 'counter', 'Prompt tokens reused from the cache.', metrics.cachedTokens],
    ['prompt_seconds_total', 'counter', 'Time to the first token, after the queue.', metrics.promptMs / 1000],
    ['tokens_predicted_total', 'counter', 'Tokens generated.', metrics.predictedTokens],
    ['tokens_predicted_seconds_total', 'counter', 'Time spent generating.', metrics.predictedMs / 1000],
    ['n_decode_total', 'counter', 'Batches evaluated.', metrics.decodes],
    [
      'n_busy_slots_per_decode',
      'gauge',
      'Mean sequences in a batch.',
      metrics.busyInDecodes / Math.max(1, metrics.decodes),
    ],
    [
      'prompt_tokens_seconds',
      'gauge',
      'Mean prompt tokens per second.',
      perSecond(metrics.promptTokens, metrics.promptMs),
    ],
    [
      'predicted_tokens_seconds',
      'gauge',
      'Mean tokens per second of one answer.',
      perSecond(metrics.predictedTokens, metrics.predictedMs),
    ],
    ['requests_processing', 'gauge', 'Answers being generated.', pool?.busy ?? 0],
    ['requests_deferred', 'gauge', 'Answers waiting for a sequence.', pool?.waiting ?? 0],
    ['requests_total', 'counter', 'Requests accepted.', metrics.requests],
    ['requests_failed_total', 'counter', 'Requests that failed on our side.', metrics.failures],
    ['requests_refused_total', 'counter', 'Requests refused, by their fault or for want of room.', metrics.refusals],
    ['slots_total', 'gauge', 'Sequences.', pool?.size ?? 0],
    ['memory_resident_bytes', 'gauge', 'Resident memory of the host.', process.memoryUsage.rss()],
  ];
  return rows
    .map(
      ([name, kind, help, value]) =>
        `# HELP llamacpp:${name} ${help}\n# TYPE llamacpp:${name} ${kind}\nllamacpp:${name} ${value}\n`,
    )
    .join('');
}
