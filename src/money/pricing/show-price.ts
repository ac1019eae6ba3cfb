import { formatAmount } from '@millrace/contract/words';
import type { PriceVersion, RuledPrice } from './price-version.ts';

/** The price as people write it, for showing a difference. */
export function showPrice(price: PriceVersion): string {
  const { currency, effectiveFromMs } = price;
  const from =
    effectiveFromMs === 0 ? '' : ` from ${new Date(effectiveFromMs).toISOString().replace('T00:00:00.000Z', '')}`;
  if (price.book !== undefined) return `${rulesText(price)} ${currency}${from}`;
  const { input, cachedInput, output } = price.nanoPerMillion;
  const cached = cachedInput === undefined ? '' : `/${formatAmount(cachedInput)}`;
  return `${formatAmount(input)}${cached}/${formatAmount(output)} ${currency}${from}`;
}

/** Too many to show: how many there are, and the name that tells two such lists apart. */
function rulesText({ book, version }: RuledPrice): string {
  let count = 0;
  for (const rules of book.rules.values()) count += rules.length;
  return `${count} rules (${version.slice(0, 8)})`;
}
