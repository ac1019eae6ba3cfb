import type { Children } from './children.ts';
import type { Figure, Words } from './figure.ts';
import type { Sizes } from './sizes.ts';

export const CASE_NAMES = ['json', 'stream', 'latency', 'memory', 'nginx'] as const;
export type CaseName = (typeof CASE_NAMES)[number];

export interface CaseInput {
  readonly children: Children;
  readonly sizes: Sizes;
  /** For people: what is being done now. */
  readonly say: (words: Words) => void;
}

export interface CaseReport {
  readonly name: CaseName;
  readonly title: Words;
  /** How it was measured. */
  readonly how: Words;
  /** Why nothing was measured. */
  readonly skipped?: Words;
  readonly figures: readonly Figure[];
  /** Requests that failed, of all rounds; with any, no target is met. */
  readonly failures: number;
  readonly notes: readonly Words[];
  /** As measured. */
  readonly rounds: readonly object[];
}
