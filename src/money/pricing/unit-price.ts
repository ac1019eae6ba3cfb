import { findMeter, type MeterId, type Nano } from '@millrace/contract/words';
import { ConditionCheck } from './conditions.ts';
import { ruleFor } from './line-cost.ts';
import type { FlatPrice, PriceVersion } from './price-version.ts';

/**
 * What a million units of a meter cost at a moment, in nano, for a short request of the standard class: for plans and shows, not
 * for bills. A part without a price of its own costs what its whole does. Undefined where that has none.
 */
export function unitPriceNano(price: PriceVersion, meter: MeterId, atMs: number): Nano | undefined {
  if (price.book === undefined) return flatUnitNano(price, meter);
  const facts = { inputTokens: 0, atMs, serviceClass: undefined, attributes: undefined, open: false };
  const check = new ConditionCheck(price.book, facts);
  for (let at: MeterId | undefined = meter; at !== undefined; at = findMeter(at)?.partOf) {
    const rule = ruleFor(price.book, at, check);
    if (rule) return rule.nanoPerMillion;
  }
  return undefined;
}

function flatUnitNano({ nanoPerMillion }: FlatPrice, meter: MeterId): Nano | undefined {
  const { input, cachedInput = input, output } = nanoPerMillion;
  if (meter === 'cachedInput') return cachedInput;
  let whole: MeterId = meter;
  for (let next = findMeter(whole)?.partOf; next !== undefined; next = findMeter(whole)?.partOf) whole = next;
  return whole === 'input' ? input : whole === 'output' ? output : undefined;
}
