import { createHash } from 'node:crypto';
import type { Nano } from '@millrace/contract';
import type { Store } from '../../../ground/store/index.ts';
import type { Findings } from './findings.ts';

/** A price version as its stored content says. */
export interface PriceFigures {
  readonly currency: string;
  readonly input: bigint;
  /** Absent: cached tokens are input. */
  readonly cached: bigint | undefined;
  readonly output: bigint;
  readonly halfEven: boolean;
}

/** Reads all price versions; each must still be what its name, a hash, says (I8). */
export async function readPriceFigures(store: Store, { expect }: Findings): Promise<ReadonlyMap<string, PriceFigures>> {
  const figures = new Map<string, PriceFigures>();
  const rows = await store.reader.selectFrom('price_versions').select(['version', 'content']).execute();
  for (const { version, content } of rows) {
    const hash = createHash('sha256').update(content).digest('hex');
    expect('I8', hash === version, () => `the price version ${version} was changed`);
    const parsed = parse(content);
    if (parsed) figures.set(version, parsed);
    else expect('I8', false, () => `the price version ${version} cannot be read`);
  }
  return figures;
}

function parse(content: string): PriceFigures | undefined {
  try {
    const fields: Readonly<Record<string, unknown>> = JSON.parse(content);
    const { currency, input, cachedInput, output, rounding } = fields;
    if (typeof currency !== 'string' || typeof input !== 'string' || typeof output !== 'string') return undefined;
    return {
      currency,
      input: BigInt(input),
      cached: typeof cachedInput === 'string' ? BigInt(cachedInput) : undefined,
      output: BigInt(output),
      halfEven: rounding === 'half-even',
    };
  } catch {
    return undefined;
  }
}

/**
 * What usage costs. Written apart from metering on purpose, and in another way: two ways to one figure, so that a slip in one of
 * them shows (I8).
 */
export function amountBy(
  price: PriceFigures,
  usage: { readonly input_tokens: bigint; readonly cached_input_tokens: bigint; readonly output_tokens: bigint },
): Nano {
  const cached = price.cached === undefined ? 0n : usage.cached_input_tokens;
  const lines = [(usage.input_tokens - cached) * price.input, cached * (price.cached ?? 0n)];
  lines.push(usage.output_tokens * price.output);
  return lines.reduce((sum, millionths) => sum + (price.halfEven ? nearest(millionths) : up(millionths)), 0n);
}

const up = (millionths: bigint) => (millionths + 999_999n) / 1_000_000n;

/** To the nearest; of two that are as near, the even one. */
function nearest(millionths: bigint): bigint {
  const rounded = (2n * millionths + 1_000_000n) / 2_000_000n;
  const tie = (2n * millionths + 1_000_000n) % 2_000_000n === 0n;
  return tie && rounded % 2n === 1n ? rounded - 1n : rounded;
}
