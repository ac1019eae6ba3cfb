import type { Currency, Nano } from '@millrace/contract';
import type { Usage } from '../../ground/journal/index.ts';
import { Fault } from '../../ground/std/index.ts';
import type { Meter, PriceVersion } from './price-version.ts';

/** One line of a bill: so many tokens of one meter at one price. */
export interface RatedLine {
  readonly meter: Meter;
  readonly tokens: number;
  readonly nanoPerMillion: Nano;
  readonly amountNano: Nano;
}

export interface Rated {
  readonly lines: readonly RatedLine[];
  readonly amountNano: Nano;
  readonly currency: Currency;
}

/** Largest count of tokens that is rated. With the largest price (1e6 units per million) a line stays far below int64. */
const TOKENS_MAX = 1_000_000_000;
const MILLION = 1_000_000n;

/**
 * Usage × price. One rounding per line, by the version's rule. Throws Fault `upstream_error` where a count is not an integer
 * within 0…1e9, or a part exceeds its whole: refused, never taken for zero.
 */
export function rate(usage: Usage, price: PriceVersion): Rated {
  const { inputTokens, cachedInputTokens, outputTokens, reasoningTokens } = usage;
  checkCount('input', inputTokens);
  checkCount('cached input', cachedInputTokens);
  checkCount('output', outputTokens);
  checkCount('reasoning', reasoningTokens);
  if (cachedInputTokens > inputTokens) throw badCount('cached input', cachedInputTokens);
  const { input, cachedInput, output } = price.nanoPerMillion;
  const lines: RatedLine[] = [];
  let amountNano = 0n;
  const add = (meter: Meter, tokens: number, nanoPerMillion: Nano) => {
    if (tokens === 0) return;
    const line = { meter, tokens, nanoPerMillion, amountNano: round(BigInt(tokens) * nanoPerMillion, price.rounding) };
    amountNano += line.amountNano;
    lines.push(line);
  };
  // Without a price of their own, cached tokens are input: one line, one rounding.
  if (cachedInput === undefined) add('input', inputTokens, input);
  else {
    add('input', inputTokens - cachedInputTokens, input);
    add('cachedInput', cachedInputTokens, cachedInput);
  }
  add('output', outputTokens, output);
  return { lines, amountNano, currency: price.currency };
}

/** Divides by a million; `product` is never negative. */
function round(product: Nano, rule: PriceVersion['rounding']): Nano {
  const floor = product / MILLION;
  const rest = product - floor * MILLION;
  if (rest === 0n) return floor;
  if (rule === 'ceil') return floor + 1n;
  const twice = rest * 2n;
  if (twice !== MILLION) return twice > MILLION ? floor + 1n : floor;
  return floor % 2n === 0n ? floor : floor + 1n;
}

function checkCount(name: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0 || count > TOKENS_MAX) throw badCount(name, count);
}

function badCount(name: string, count: number): Fault {
  return new Fault('upstream_error', { internal: `${name} tokens out of range: ${count}` });
}

/**
 * The worst that a request can cost: all input at the dearer of the two input prices, all output that it may give. Rounded
 * up per line, plus one nano for the line that a split between cached and not cached input adds.
 */
export function holdNano({
  inputTokensMax,
  outputTokensMax,
  price,
}: {
  readonly inputTokensMax: number;
  readonly outputTokensMax: number;
  readonly price: PriceVersion;
}): Nano {
  checkCount('input', inputTokensMax);
  checkCount('output', outputTokensMax);
  const { input, cachedInput = 0n, output } = price.nanoPerMillion;
  const dearer = cachedInput > input ? cachedInput : input;
  const inputNano = round(BigInt(inputTokensMax) * dearer, 'ceil');
  const outputNano = round(BigInt(outputTokensMax) * output, 'ceil');
  return inputNano + outputNano + (inputNano > 0n ? 1n : 0n);
}

/**
 * The version in force: of those in `currency`, the one with the latest start that is not in the future; of two with the same
 * start, the later in the list. Undefined where none is.
 */
export function priceInForce(
  versions: readonly PriceVersion[],
  currency: Currency,
  nowMs: number,
): PriceVersion | undefined {
  let best: PriceVersion | undefined;
  for (const version of versions) {
    if (version.currency !== currency || version.effectiveFromMs > nowMs) continue;
    if (!best || version.effectiveFromMs >= best.effectiveFromMs) best = version;
  }
  return best;
}
