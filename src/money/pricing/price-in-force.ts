import type { Currency } from '@millrace/contract/words';
import type { PriceVersion } from './price-version.ts';

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
