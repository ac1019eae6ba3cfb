import type { MeterPriceSpec, PriceRuleSpec } from '@millrace/contract';
import {
  findMeter,
  formatAmount,
  isCurrency,
  METER_IDS,
  type MeterId,
  type Nano,
  parseAmount,
  parseDate,
} from '@millrace/contract/words';
import { invalid } from './invalid-price.ts';
import { conditionContent } from './parse-condition.ts';
import { type FlatContent, type PriceVersion, readPriceVersion } from './price-version.ts';
import type { Rounding } from './rounding.ts';
import type { RuleContent, RulesContent } from './rule-content.ts';

/** A price as people write it: units of currency as decimal strings. */
export interface PriceInput {
  readonly currency: string;
  /** Per million tokens. Both may be left out where rules say what stands in their place. */
  readonly inputPerM?: string | undefined;
  readonly cachedInputPerM?: string | undefined;
  readonly outputPerM?: string | undefined;
  /** `2026-01-01` or an ISO time; absent: in force from the beginning. */
  readonly effectiveFrom?: string | undefined;
  /** Of each meter the first that holds; the figures above stand behind them all. */
  readonly rules?: readonly PriceRuleSpec[] | undefined;
  readonly minimum?: string | undefined;
  readonly rounding?: Rounding | undefined;
  readonly roundTo?: string | undefined;
  readonly pricedAt?: 'start' | 'end' | undefined;
}

/** Dearest price that is taken, of what people price at once: a larger one is a slip of the pen. */
const PRICE_NANO_MAX = 1_000_000_000_000_000n;
const MILLION = 1_000_000n;

/** Checks a price and makes its immutable version. `path` leads to the field in messages. Throws Fault `config_invalid`. */
export function priceVersionOf(
  input: PriceInput,
  of: string,
  path: string,
): { readonly version: PriceVersion; readonly content: string } {
  if (!isCurrency(input.currency))
    throw invalid(
      `${path}.currency`,
      `"${input.currency}" is no currency code such as CNY`,
      `“${input.currency}”不是币种代码（如 CNY）`,
    );
  const content: RulesContent = {
    grammar: 2,
    of,
    currency: input.currency,
    effectiveFromMs: input.effectiveFrom === undefined ? 0 : timeMs(input.effectiveFrom, `${path}.effectiveFrom`),
    rounding: input.rounding ?? 'ceil',
    roundTo: amountNano(input.roundTo ?? '0.000000001', `${path}.roundTo`, 1n).toString(),
    minimum: amountNano(input.minimum ?? '0', `${path}.minimum`, 0n).toString(),
    pricedAt: input.pricedAt ?? 'start',
    rules: byMeter([...rulesOf(input, path), ...figuresOf(input, path)]),
  };
  checkTiers(content.rules, path);
  // What three figures can say is kept as three figures: it is the same price, and has been listed under that name.
  const text = JSON.stringify(flatContent(content) ?? content);
  return { version: readPriceVersion(text), content: text };
}

/** The three common figures as the rules that come last. */
function figuresOf(input: PriceInput, path: string): readonly RuleContent[] {
  const figures: readonly (readonly [MeterId, string, string | undefined, boolean])[] = [
    ['input', 'inputPerM', input.inputPerM, input.rules === undefined],
    ['cachedInput', 'cachedInputPerM', input.cachedInputPerM, false],
    ['output', 'outputPerM', input.outputPerM, input.rules === undefined],
  ];
  return figures.flatMap(([meter, field, text, needed]) => {
    if (text !== undefined) return [{ meter, price: priceNano(text, meter, `${path}.${field}`).toString() }];
    if (needed) throw invalid(`${path}.${field}`, 'is missing', '缺失');
    return [];
  });
}

function rulesOf({ rules = [] }: PriceInput, path: string): readonly RuleContent[] {
  return rules.flatMap(({ when, prices }, index) => {
    const at = `${path}.rules[${index}]`;
    const condition = when && conditionContent(when, `${at}.when`);
    const made = METER_IDS.flatMap(meter => {
      const price = prices[meter];
      return price === undefined ? [] : [meterRule(meter, price, `${at}.prices.${meter}`)];
    });
    if (made.length === 0) throw invalid(`${at}.prices`, 'sets no price', '未设置任何价格');
    return made.map(rule => (condition === undefined ? rule : { ...rule, when: condition }));
  });
}

function meterRule(meter: MeterId, spec: string | MeterPriceSpec, path: string): RuleContent {
  const { price, steps, free = 0, least = 0, block = 1 } = typeof spec === 'string' ? { price: spec } : spec;
  const at = typeof spec === 'string' ? path : `${path}.price`;
  const ordered = steps?.every(({ upTo }, index) => upTo > (steps[index - 1]?.upTo ?? 0)) ?? true;
  if (!ordered) throw invalid(`${path}.steps`, 'need upTo to grow from step to step', '各级的 upTo 必须递增');
  return {
    meter,
    price: priceNano(price, meter, at).toString(),
    ...(steps === undefined
      ? {}
      : {
          steps: steps.map(
            (step, index) =>
              [step.upTo, priceNano(step.price, meter, `${path}.steps[${index}].price`).toString()] as const,
          ),
        }),
    ...(free === 0 ? {} : { free }),
    ...(least <= 1 ? {} : { least }),
    ...(block === 1 ? {} : { block }),
  };
}

/** A hold looks at each tier. */
const TIERS_MAX = 32;

function checkTiers(rules: readonly RuleContent[], path: string): void {
  const tiers = new Set(rules.flatMap(({ when }) => [when?.inputAbove ?? [], when?.inputUpTo ?? []].flat()));
  if (tiers.size > TIERS_MAX)
    throw invalid(
      `${path}.rules`,
      `name ${tiers.size} lengths of input: use ${TIERS_MAX} at most`,
      `使用了 ${tiers.size} 个输入长度分界：最多 ${TIERS_MAX} 个`,
    );
}

/** Sorted by meter; of each, nothing behind a rule that always holds: it could never be reached. */
function byMeter(rules: readonly RuleContent[]): readonly RuleContent[] {
  return METER_IDS.flatMap(meter => {
    const own = rules.filter(rule => rule.meter === meter);
    const last = own.findIndex(({ when }) => when === undefined);
    return last === -1 ? own : own.slice(0, last + 1);
  });
}

const FLAT_METERS: readonly MeterId[] = ['input', 'cachedInput', 'output'];

function flatContent({ rules, ...content }: RulesContent): FlatContent | undefined {
  const { of, currency, effectiveFromMs, rounding, minimum, roundTo, pricedAt } = content;
  if (rounding !== 'ceil' && rounding !== 'half-even') return undefined;
  if (minimum !== '0' || roundTo !== '1' || pricedAt !== 'start') return undefined;
  const isFigure = (rule: RuleContent) => Object.keys(rule).length === 2 && FLAT_METERS.includes(rule.meter);
  if (!rules.every(isFigure)) return undefined;
  const priceOf = (meter: MeterId) => rules.find(rule => rule.meter === meter)?.price;
  const [input, output] = [priceOf('input'), priceOf('output')];
  if (input === undefined || output === undefined) return undefined;
  return { of, currency, input, cachedInput: priceOf('cachedInput') ?? null, output, effectiveFromMs, rounding };
}

/** Nano per million units, from a price of as many as people price at once. */
function priceNano(text: string, meter: MeterId, path: string): Nano {
  const nano = parseAmount(text);
  if (nano === undefined || nano < 0n || nano > PRICE_NANO_MAX)
    throw invalid(
      path,
      `"${text}" is not a price: use a decimal number such as 0.5, from 0 to 1000000, with at most nine decimals`,
      `“${text}”不是合法的价格：请使用 0.5 这样的十进制数，0 到 1000000，最多九位小数`,
    );
  return (nano * MILLION) / BigInt(findMeter(meter)?.priced ?? 1);
}

function amountNano(text: string, path: string, least: Nano): Nano {
  const nano = parseAmount(text);
  if (nano !== undefined && nano >= least && nano <= PRICE_NANO_MAX) return nano;
  const [from, to] = [formatAmount(least), formatAmount(PRICE_NANO_MAX)];
  throw invalid(path, `"${text}" is not an amount from ${from} to ${to}`, `“${text}”不是 ${from} 到 ${to} 之间的金额`);
}

function timeMs(text: string, path: string): number {
  const ms = parseDate(text);
  if (ms === undefined)
    throw invalid(
      path,
      `"${text}" is not a date such as 2026-01-01 or 2026-01-01T08:00:00+08:00`,
      `“${text}”不是日期（如 2026-01-01 或 2026-01-01T08:00:00+08:00）`,
    );
  return ms;
}
