import type { Labels, Sample } from './metric-text.ts';

/** Upper bounds of the buckets, in seconds: from a fast engine's first token to the longest answer. */
const BUCKETS_S: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export interface Histogram {
  observe(seconds: number): void;
  /** Buckets, sum and count; nothing where nothing was observed. */
  samples(labels: Labels): readonly Sample[];
}

export function createHistogram(): Histogram {
  /** One more than there are bounds, for what is above them all; added up when they are shown. */
  const counts = [...BUCKETS_S.map(() => 0), 0];
  let sum = 0;
  let count = 0;
  return {
    observe(seconds) {
      const bucket = BUCKETS_S.findIndex(bound => seconds <= bound);
      const index = bucket < 0 ? BUCKETS_S.length : bucket;
      counts[index] = (counts[index] ?? 0) + 1;
      sum += seconds;
      count++;
    },
    samples(labels) {
      if (count === 0) return [];
      let below = 0;
      const buckets = [...BUCKETS_S.map(String), '+Inf'].map((le, index) => {
        below += counts[index] ?? 0;
        return { labels: { ...labels, le }, value: below, suffix: '_bucket' };
      });
      return [...buckets, { labels, value: sum, suffix: '_sum' }, { labels, value: count, suffix: '_count' }];
    },
  };
}
