import {
  type ConfigDocument,
  formatAmount,
  type ModelSpec,
  type Nano,
  type PriceSpec,
  parseAmount,
  parseDate,
} from '@millrace/contract';
import type { Issue } from '../issue-text.ts';

type Path = readonly (string | number)[];

const METERS = ['inputPerM', 'cachedInputPerM', 'outputPerM'] as const;
type Meter = (typeof METERS)[number];

/** What a document may say and hardly means: a price that is not in force yet, or is below what the model costs. */
export function priceWarnings({ models }: ConfigDocument, nowMs: number): readonly Issue[] {
  return models.flatMap((model, index) => {
    const path: Path = ['models', index, 'prices'];
    return [...notInForce(model, { path, nowMs }), ...belowCost(model, path)];
  });
}

const startOf = ({ effectiveFrom }: PriceSpec) => (effectiveFrom === undefined ? 0 : (parseDate(effectiveFrom) ?? 0));

/** Cached tokens are charged as input where they have no price of their own. */
const nanoOf = (price: PriceSpec, meter: Meter): Nano => parseAmount(price[meter] ?? price.inputPerM) ?? 0n;

function notInForce({ prices }: ModelSpec, { path, nowMs }: { readonly path: Path; readonly nowMs: number }): Issue[] {
  return prices.flatMap((price, index) => {
    const { currency, effectiveFrom } = price;
    if (effectiveFrom === undefined || startOf(price) <= nowMs) return [];
    const before = prices.some(other => other.currency === currency && startOf(other) <= nowMs);
    return {
      path: [...path, index, 'effectiveFrom'],
      words: before
        ? {
            en: `${effectiveFrom} is still to come: until then the price before it holds`,
            zh: `${effectiveFrom} 尚未到来：在此之前沿用原价格`,
          }
        : {
            en: `${effectiveFrom} is still to come: until then there is no price in ${currency}, and who pays in it is refused`,
            zh: `${effectiveFrom} 尚未到来：在此之前没有 ${currency} 价格，以其付费的请求会被拒绝`,
          },
    };
  });
}

function belowCost({ prices, deployments }: ModelSpec, path: Path): Issue[] {
  return prices.flatMap((price, index) =>
    METERS.flatMap(meter => {
      if (price[meter] === undefined) return [];
      const nano = nanoOf(price, meter);
      const dearest = deployments
        .flatMap(({ id, costs }) =>
          costs
            .filter(cost => cost.currency === price.currency && overlap(prices, price, { costs, cost }))
            .map(cost => ({ id, nano: nanoOf(cost, meter) })),
        )
        .toSorted((a, b) => (a.nano < b.nano ? 1 : -1))[0];
      if (!dearest || dearest.nano <= nano) return [];
      const [own, cost] = [formatAmount(nano), formatAmount(dearest.nano)];
      const words = {
        en: `${own} ${price.currency} is below what ${dearest.id} costs, ${cost} ${price.currency}: each token is sold at a loss`,
        zh: `${own} ${price.currency} 低于 ${dearest.id} 的成本 ${cost} ${price.currency}：每个词元都在亏本出售`,
      };
      return { path: [...path, index, meter], words };
    }),
  );
}

/** Whether a price and a cost are ever in force at one time: each holds from its start to that of the next in its currency. */
function overlap(
  prices: readonly PriceSpec[],
  price: PriceSpec,
  { costs, cost }: { readonly costs: readonly PriceSpec[]; readonly cost: PriceSpec },
): boolean {
  return startOf(price) < endOf(costs, cost) && startOf(cost) < endOf(prices, price);
}

function endOf(list: readonly PriceSpec[], price: PriceSpec): number {
  const later = list.filter(other => other.currency === price.currency && startOf(other) > startOf(price));
  return Math.min(Number.POSITIVE_INFINITY, ...later.map(startOf));
}
