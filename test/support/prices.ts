import { formatAmount } from '@millrace/contract';
import type { Store } from '../../src/ground/store/index.ts';
import type { PriceVersion } from '../../src/money/pricing/index.ts';
import { priceVersionOf } from '../../src/money/pricing/index.ts';

/** A price version as the catalog writes it, put into the store. Figures are nano per million tokens. */
export async function plantPrice(
  store: Store,
  price: {
    readonly of: string;
    readonly input: bigint;
    readonly cachedInput?: bigint | undefined;
    readonly output: bigint;
    readonly rounding?: PriceVersion['rounding'];
    readonly currency?: string;
  },
): Promise<PriceVersion> {
  const { version, content } = priceVersionOf(
    {
      currency: price.currency ?? 'CNY',
      inputPerM: formatAmount(price.input),
      cachedInputPerM: price.cachedInput === undefined ? undefined : formatAmount(price.cachedInput),
      outputPerM: formatAmount(price.output),
      rounding: price.rounding,
    },
    price.of,
    'price',
  );
  const columns = ['version', 'content', 'created_us'];
  const rows = [[version.version, content, 1n]];
  await store.transaction(trx => store.insertNew(trx, 'price_versions', { columns, rows, key: 'version' }));
  return version;
}
