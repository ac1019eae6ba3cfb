import type { Currency, Nano } from '@millrace/contract';
import { BadInput, requireWithin } from './bad-input.ts';
import { multiply, parseDecimal, type Rational, roundHalfEven, toNumber } from './rational.ts';
import { dimensionsOf, parseUnit, type Unit } from './units.ts';

/** Money with its currency; `nano` is 1e-9 of one unit of it. */
export interface Money {
  readonly nano: Nano;
  readonly currency: Currency;
}

/** One `from` costs `nano` nano-units of `to`: "7.2 CNY/USD" is { from: 'USD', to: 'CNY', nano: 7_200_000_000n }. */
export interface ExchangeRate {
  readonly from: Currency;
  readonly to: Currency;
  readonly nano: Nano;
}

interface Kind {
  readonly dimensions: string;
  /** Dimensions of the same thing said more loosely, read alike: tok/s for tok/s per node. */
  readonly also?: readonly string[];
  readonly what: string;
  readonly zh: string;
  readonly example: string;
  readonly min: number;
  readonly max: number;
}

// `max` are walls against slips of the keyboard, an order of magnitude beyond anything on Earth, not estimates.
const KINDS = {
  ratio: { dimensions: '', what: 'a share', zh: '比例', example: '56.3 %', min: 0, max: 1 },
  factor: { dimensions: '', what: 'a factor', zh: '倍数', example: '1.5', min: 0, max: 1e6 },
  tokens: { dimensions: 'tok^1', what: 'a number of tokens', zh: '词元数', example: '4096 tok', min: 0, max: 1e18 },
  tokenRate: {
    dimensions: 's^-1·tok^1',
    what: 'tokens per time',
    zh: '单位时间词元数',
    example: '100 Gtok/day',
    min: 0,
    max: 1e15,
  },
  speed: {
    dimensions: 's^-1·tok^1',
    also: ['s^-1·tok^1·user^-1'],
    what: 'tokens per second of one user',
    zh: '单个用户每秒词元数',
    example: '20 tok/s',
    min: 0,
    max: 1e5,
  },
  nodeThroughput: {
    dimensions: 'node^-1·s^-1·tok^1',
    what: 'tokens per second of one node',
    zh: '单节点每秒词元数',
    example: '14.8 ktok/s/node',
    min: 0,
    max: 1e9,
  },
  users: { dimensions: 'user^1', what: 'a number of users', zh: '用户数', example: '50 Muser', min: 0, max: 1e11 },
  duration: { dimensions: 's^1', what: 'a time', zh: '时间', example: '2 s', min: 0, max: 31_536_000 },
  bytes: { dimensions: 'B^1', what: 'a size of memory', zh: '容量', example: '80 GB', min: 0, max: 1e18 },
  bandwidth: { dimensions: 'B^1·s^-1', what: 'a bandwidth', zh: '带宽', example: '3350 GB/s', min: 0, max: 1e18 },
  flops: { dimensions: 'FLOP^1·s^-1', what: 'a compute speed', zh: '算力', example: '989 TFLOPS', min: 0, max: 1e20 },
  power: { dimensions: 'W^1', what: 'a power', zh: '功率', example: '700 W', min: 0, max: 1e9 },
} as const satisfies Record<string, Kind>;

const MONEY_KINDS = {
  tokenPrice: {
    dimensions: 'money^1·tok^-1',
    what: 'a price per tokens',
    zh: '按词元计的单价',
    example: '16 CNY/Mtok',
    min: 0,
    max: 1,
  },
  gpuPrice: {
    dimensions: 'money^1·s^-1',
    also: ['GPU^-1·money^1·s^-1'],
    what: 'money per time',
    zh: '按时间计的金额',
    example: '2 USD/h',
    min: 0,
    max: 1e3,
  },
  money: { dimensions: 'money^1', what: 'an amount of money', zh: '金额', example: '450 MCNY', min: 0, max: 1e15 },
} as const satisfies Record<string, Kind>;

export type QuantityKind = keyof typeof KINDS;
export type MoneyKind = keyof typeof MONEY_KINDS;

/** Every dimension anyone may mean, for saying what a wrong unit actually measures. */
const WHAT_BY_DIMENSIONS: ReadonlyMap<string, Kind> = new Map(
  [...Object.values(KINDS), ...Object.values(MONEY_KINDS)].reverse().map(kind => [kind.dimensions, kind]),
);

const SHAPE = /^([\d.]+(?:e[+-]?\d+)?)\s*([^\d\s.+-].*)?$/i;

function split(field: string, text: string, kind: Kind): { value: Rational; unit: Unit; unitText: string } {
  const trimmed = text.trim();
  if (trimmed.startsWith('-') || trimmed.startsWith('−'))
    throw new BadInput(
      field,
      `"${text}" is negative; write ${kind.what}, such as "${kind.example}"`,
      `“${text}”为负数；请写${kind.zh}，例如“${kind.example}”`,
    );
  const match = SHAPE.exec(trimmed);
  const value = match ? parseDecimal(match[1] ?? '') : undefined;
  if (!match || !value)
    throw new BadInput(
      field,
      `"${text}" is not a number with a unit; write ${kind.what}, such as "${kind.example}"`,
      `“${text}”不是带单位的数；请写${kind.zh}，例如“${kind.example}”`,
    );
  const unitText = (match[2] ?? '').trim();
  const unit = parseUnit(unitText);
  if (!unit)
    throw new BadInput(
      field,
      `unknown unit "${unitText}"; write ${kind.what}, such as "${kind.example}"`,
      `未知单位“${unitText}”；请写${kind.zh}，例如“${kind.example}”`,
    );
  return { value, unit, unitText };
}

/** What a quantity of the wrong dimensions says, as the middle of a sentence. */
function misread(unitText: string, meant: Kind | undefined): { readonly en: string; readonly zh: string } {
  if (unitText === '') return { en: 'has no unit', zh: '没有单位' };
  if (meant) return { en: `is ${meant.what}`, zh: `是${meant.zh}` };
  return { en: `has the unit "${unitText}"`, zh: `的单位是“${unitText}”` };
}

function checked(field: string, text: string, kind: Kind): { exact: Rational; currencies: readonly string[] } {
  const { value, unit, unitText } = split(field, text, kind);
  const { key, currencies } = dimensionsOf(unit);
  if (key !== kind.dimensions && !kind.also?.includes(key)) {
    const said = misread(unitText, WHAT_BY_DIMENSIONS.get(key));
    throw new BadInput(
      field,
      `"${text}" ${said.en}; write ${kind.what}, such as "${kind.example}"`,
      `“${text}”${said.zh}；请写${kind.zh}，例如“${kind.example}”`,
    );
  }
  const exact = multiply(value, unit.factor);
  requireWithin(field, toNumber(exact), kind);
  return { exact, currencies };
}

/** Parses a physical quantity into SI (seconds, tokens, bytes, FLOP/s, watts). Throws {@link BadInput} that names the right unit. */
export function parseQuantity(field: string, text: string, kind: QuantityKind): number {
  return toNumber(checked(field, text, KINDS[kind]).exact);
}

/**
 * Parses money exactly. `tokenPrice` gives nano per 1,000,000 tokens, `gpuPrice` nano per hour, `money` nano.
 * Throws {@link BadInput} where the unit is wrong or the amount has more digits than a nano-unit holds.
 */
export function parseMoney(field: string, text: string, kind: MoneyKind): Money {
  const { exact, currencies } = checked(field, text, MONEY_KINDS[kind]);
  const per = kind === 'tokenPrice' ? 1_000_000n : kind === 'gpuPrice' ? 3600n : 1n;
  const nano = multiply(exact, { numerator: per * 1_000_000_000n, denominator: 1n });
  return { nano: roundHalfEven(nano), currency: currencies[0] ?? 'USD' };
}

/** Parses "7.2 CNY/USD": how many of the first one of the second costs. */
export function parseExchangeRate(field: string, text: string): ExchangeRate {
  const kind: Kind = {
    dimensions: 'money^-1·money^1',
    what: 'an exchange rate',
    zh: '汇率',
    example: '7.2 CNY/USD',
    min: 1e-6,
    max: 1e6,
  };
  const { value, unit } = split(field, text, kind);
  const { key, currencies } = dimensionsOf(unit);
  const from = [...unit.powers].find(([, power]) => power === -1)?.[0];
  const to = [...unit.powers].find(([, power]) => power === 1)?.[0];
  if (key !== kind.dimensions || currencies.length !== 2 || !from || !to) {
    throw new BadInput(
      field,
      `"${text}" is no exchange rate; write one such as "${kind.example}"`,
      `“${text}”不是汇率；请写成“${kind.example}”的形式`,
    );
  }
  const exact = multiply(value, unit.factor);
  requireWithin(field, toNumber(exact), kind);
  return { from, to, nano: roundHalfEven(multiply(exact, { numerator: 1_000_000_000n, denominator: 1n })) };
}

const decimal = (nano: bigint): string => {
  const digits = nano.toString().padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '');
  return fraction === '' ? digits.slice(0, -9) : `${digits.slice(0, -9)}.${fraction}`;
};

/** The inverse of {@link parseMoney}: the shortest text that parses to the same nano-units. */
export function formatPrice(money: Money, kind: MoneyKind): string {
  const unit = kind === 'tokenPrice' ? '/Mtok' : kind === 'gpuPrice' ? '/h' : '';
  return `${decimal(money.nano)} ${money.currency}${unit}`;
}

export function formatExchangeRate(rate: ExchangeRate): string {
  return `${decimal(rate.nano)} ${rate.to}/${rate.from}`;
}

const CANONICAL: Readonly<Record<QuantityKind, string>> = {
  ratio: '',
  factor: '',
  tokens: 'tok',
  tokenRate: 'tok/s',
  speed: 'tok/s',
  nodeThroughput: 'tok/s/node',
  users: 'user',
  duration: 's',
  bytes: 'B',
  bandwidth: 'B/s',
  flops: 'FLOPS',
  power: 'W',
};

/** The inverse of {@link parseQuantity}: the value in SI with its unit, to the last digit a double has. */
export function formatQuantity(value: number, kind: QuantityKind): string {
  return `${value} ${CANONICAL[kind]}`.trim();
}
