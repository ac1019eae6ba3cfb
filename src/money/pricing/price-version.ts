import { createHash } from 'node:crypto';
import type { Currency, Nano } from '@millrace/contract/words';
import type { Rounding } from './rounding.ts';
import type { RuleBook } from './rule-book.ts';
import { bookOf, type RulesContent } from './rule-content.ts';

interface AnyPrice {
  /** Hex SHA-256 of the canonical content: the version's name, and the proof that it never changed. */
  readonly version: string;
  readonly currency: Currency;
  /** ms since the epoch; the version with the latest start that is not in the future is in force. */
  readonly effectiveFromMs: number;
}

/** Three figures that always hold: what nearly every price is, and looked up without a rule. */
export interface FlatPrice extends AnyPrice {
  /** Nano per 1,000,000 tokens. `cachedInput` absent: cached tokens are charged as `input`. */
  readonly nanoPerMillion: { readonly input: Nano; readonly cachedInput?: Nano; readonly output: Nano };
  readonly rounding: 'ceil' | 'half-even';
  readonly book?: undefined;
}

export interface RuledPrice extends AnyPrice {
  readonly rounding: Rounding;
  readonly book: RuleBook;
}

/** One immutable version of the prices of a model (kind `sell`) or of a deployment (kind `cost`). */
export type PriceVersion = FlatPrice | RuledPrice;

/** What is hashed and kept of three figures. `of` names whose price it is: the same figures for two models are two versions. */
export interface FlatContent {
  readonly of: string;
  readonly currency: string;
  readonly input: string;
  readonly cachedInput: string | null;
  readonly output: string;
  readonly effectiveFromMs: number;
  readonly rounding: FlatPrice['rounding'];
}

export function hashPriceContent(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** A version from what is kept of it: either form, whenever it was written. */
export function readPriceVersion(text: string): PriceVersion {
  const content: FlatContent | RulesContent = JSON.parse(text);
  const version = hashPriceContent(text);
  const { currency, effectiveFromMs } = content;
  if ('grammar' in content)
    return { version, currency, effectiveFromMs, rounding: content.rounding, book: bookOf(content) };
  return {
    version,
    currency,
    nanoPerMillion: {
      input: BigInt(content.input),
      ...(content.cachedInput === null ? {} : { cachedInput: BigInt(content.cachedInput) }),
      output: BigInt(content.output),
    },
    effectiveFromMs,
    rounding: content.rounding,
  };
}
