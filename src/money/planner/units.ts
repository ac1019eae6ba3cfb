import type { Rational } from './rational.ts';

/** What a unit measures: powers of the base dimensions, sorted text such as "CNY·tok^-1". Currencies are dimensions of their own. */
export interface Unit {
  readonly factor: Rational;
  readonly powers: ReadonlyMap<string, number>;
}

const whole = (value: bigint): Rational => ({ numerator: value, denominator: 1n });
const part = (denominator: bigint): Rational => ({ numerator: 1n, denominator });

export const CURRENCIES: ReadonlySet<string> = new Set(['CNY', 'USD', 'EUR', 'JPY', 'HKD', 'SGD', 'GBP']);

const CURRENCY_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    元: 'CNY',
    yuan: 'CNY',
    RMB: 'CNY',
    '¥': 'CNY',
    $: 'USD',
    美元: 'USD',
  }),
);

const PREFIXES: ReadonlyMap<string, bigint> = new Map(
  Object.entries({
    k: 10n ** 3n,
    K: 10n ** 3n,
    M: 10n ** 6n,
    G: 10n ** 9n,
    T: 10n ** 12n,
    P: 10n ** 15n,
    万: 10n ** 4n,
    百万: 10n ** 6n,
    亿: 10n ** 8n,
    千亿: 10n ** 11n,
  }),
);

// A month is 30 days and a year 365, as in every published monthly figure that the cases reproduce.
const TIMES: ReadonlyMap<string, Rational> = new Map(
  Object.entries({
    us: part(1_000_000n),
    ms: part(1_000n),
    s: whole(1n),
    秒: whole(1n),
    min: whole(60n),
    分钟: whole(60n),
    h: whole(3600n),
    hour: whole(3600n),
    小时: whole(3600n),
    day: whole(86_400n),
    d: whole(86_400n),
    天: whole(86_400n),
    日: whole(86_400n),
    month: whole(2_592_000n),
    月: whole(2_592_000n),
    year: whole(31_536_000n),
    年: whole(31_536_000n),
  }),
);

const PREFIXABLE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    tok: 'tok',
    token: 'tok',
    tokens: 'tok',
    user: 'user',
    users: 'user',
    用户: 'user',
    req: 'req',
    B: 'B',
    FLOP: 'FLOP',
    FLOPS: 'FLOPS',
    W: 'W',
    Wh: 'Wh',
  }),
);

const PLAIN: ReadonlyMap<string, string> = new Map(
  Object.entries({ node: 'node', 节点: 'node', GPU: 'GPU', gpu: 'GPU', 卡: 'GPU' }),
);

function single(dimension: string, factor: Rational): Unit {
  return { factor, powers: new Map([[dimension, 1]]) };
}

function currencyOf(text: string): string | undefined {
  return CURRENCIES.has(text) ? text : CURRENCY_NAMES.get(text);
}

function parseAtom(text: string): Unit | undefined {
  const time = TIMES.get(text);
  if (time) return single('s', time);
  const plain = PLAIN.get(text);
  if (plain) return single(plain, whole(1n));
  if (text === '%') return { factor: part(100n), powers: new Map() };
  const direct = currencyOf(text) ?? PREFIXABLE.get(text);
  if (direct) return atomOf(direct, whole(1n));
  for (const [prefix, factor] of PREFIXES) {
    if (!text.startsWith(prefix)) continue;
    const rest = text.slice(prefix.length).trim();
    const base = currencyOf(rest) ?? PREFIXABLE.get(rest);
    if (base) return atomOf(base, whole(factor));
  }
  return undefined;
}

// FLOPS and Wh are written as one word everywhere; they are two dimensions.
function atomOf(base: string, factor: Rational): Unit {
  if (base === 'FLOPS')
    return {
      factor,
      powers: new Map([
        ['FLOP', 1],
        ['s', -1],
      ]),
    };
  if (base === 'Wh')
    return {
      factor: whole(factor.numerator * 3600n),
      powers: new Map([
        ['W', 1],
        ['s', 1],
      ]),
    };
  return single(base, factor);
}

/** Parses "CNY/Mtok", "ktok/s/node", "USD/GPU/h", "%" or "". `undefined` where an atom is unknown. */
export function parseUnit(text: string): Unit | undefined {
  const powers = new Map<string, number>();
  let numerator = 1n;
  let denominator = 1n;
  if (text === '') return { factor: whole(1n), powers };
  for (const [index, raw] of text.split('/').entries()) {
    const atom = parseAtom(raw.trim());
    if (!atom) return undefined;
    const sign = index === 0 ? 1 : -1;
    numerator *= sign > 0 ? atom.factor.numerator : atom.factor.denominator;
    denominator *= sign > 0 ? atom.factor.denominator : atom.factor.numerator;
    for (const [dimension, power] of atom.powers) {
      const sum = (powers.get(dimension) ?? 0) + sign * power;
      if (sum === 0) powers.delete(dimension);
      else powers.set(dimension, sum);
    }
  }
  return { factor: { numerator, denominator }, powers };
}

/** Canonical text of a unit's dimensions with every currency written as `money`, and the currencies met. */
export function dimensionsOf(unit: Unit): { readonly key: string; readonly currencies: readonly string[] } {
  const currencies: string[] = [];
  const terms: string[] = [];
  for (const [dimension, power] of unit.powers) {
    const isMoney = CURRENCIES.has(dimension);
    if (isMoney) currencies.push(dimension);
    terms.push(`${isMoney ? 'money' : dimension}^${power}`);
  }
  return { key: terms.sort().join('·'), currencies };
}
