import { BadInput } from './bad-input.ts';
import { profitPerDay } from './fleet.ts';
import type { Scenario } from './scenario.ts';
import { VARIABLES, type Variable } from './variables.ts';

/** Profit of a varied scenario; undefined where it cannot run at all (no user gets the wanted speed, nothing fits). */
function profitOf(scenario: Scenario): number | undefined {
  try {
    return profitPerDay(scenario);
  } catch (error) {
    if (error instanceof BadInput) return undefined;
    throw error;
  }
}

/** Whether profit can depend on the variable at all: skips the exchange rate of one-currency scenarios and zero shares. */
function matters(scenario: Scenario, variable: Variable): boolean {
  if (variable.value(scenario) === 0) return false;
  if (variable.id === 'exchange')
    return scenario.costs.gpuHour.currency !== scenario.price.currency || scenario.price.currency !== scenario.currency;
  if (variable.id === 'interactivity' || variable.id === 'requestInput') return scenario.serving.measured === undefined;
  return true;
}

export interface BreakEven {
  readonly variable: Variable;
  /** Unit of the values, with the currency where it is a price. */
  readonly unit: string;
  readonly current: number;
  /** Where profit is zero, with the others as they are; undefined where no value in [1/1000, 1000] times today's reaches it. */
  readonly value?: number;
  /** What the variable was multiplied by to get there. */
  readonly factor?: number;
}

const FACTOR_MAX = 1000;

function breakEvenFactor(scenario: Scenario, variable: Variable): number | undefined {
  const ceiling = variable.ceiling === undefined ? FACTOR_MAX : variable.ceiling / variable.value(scenario);
  const sign = (factor: number): number | undefined => {
    const profit = profitOf(variable.scale(scenario, factor));
    return profit === undefined ? undefined : Math.sign(profit);
  };
  const start = sign(1);
  if (start === undefined || start === 0) return start === 0 ? 1 : undefined;
  // Walk outward in both directions by half octaves until the sign turns, then halve the bracket.
  for (const direction of [1, -1]) {
    let inner = 1;
    for (let step = 1; step <= 20; step++) {
      const outer = direction > 0 ? Math.min(ceiling, 2 ** (step / 2)) : 2 ** (-step / 2);
      const found = sign(outer);
      if (found === undefined) break;
      if (found !== start) return bisect(inner, outer, factor => sign(factor) === start);
      inner = outer;
      if (outer === ceiling) break;
    }
  }
  return undefined;
}

/** Boundary between `inner`, where `holds`, and `outer`, where it does not. */
function bisect(inner: number, outer: number, holds: (factor: number) => boolean): number {
  let good = inner;
  let bad = outer;
  for (let round = 0; round < 40 && Math.abs(bad / good - 1) > 1e-9; round++) {
    const middle = Math.sqrt(good * bad);
    if (holds(middle)) good = middle;
    else bad = middle;
  }
  return Math.sqrt(good * bad);
}

/** Break-even of every variable that profit depends on. */
export function breakEvens(scenario: Scenario): readonly BreakEven[] {
  return VARIABLES.filter(variable => matters(scenario, variable)).map(variable => {
    const current = variable.value(scenario);
    const unit = variable.id === 'gpuPrice' ? `${scenario.costs.gpuHour.currency}/h` : variable.unit;
    const factor = breakEvenFactor(scenario, variable);
    if (factor === undefined) return { variable, unit, current };
    return { variable, unit, current, value: variable.value(variable.scale(scenario, factor)), factor };
  });
}

export interface TornadoBar {
  readonly variable: Variable;
  readonly lowValue: number;
  readonly highValue: number;
  /** Profit per day with the variable low and high; undefined where the scenario cannot run there. */
  readonly low?: number;
  readonly high?: number;
}

/** One bar per variable at its swing, widest first. */
export function tornado(scenario: Scenario): readonly TornadoBar[] {
  const bars = VARIABLES.filter(variable => matters(scenario, variable)).map(variable => {
    const lowScenario = variable.scale(scenario, 1 - variable.swing);
    const highScenario = variable.scale(scenario, 1 + variable.swing);
    const low = profitOf(lowScenario);
    const high = profitOf(highScenario);
    return {
      variable,
      lowValue: variable.value(lowScenario),
      highValue: variable.value(highScenario),
      ...(low === undefined ? {} : { low }),
      ...(high === undefined ? {} : { high }),
    };
  });
  const width = (bar: TornadoBar) => Math.abs((bar.high ?? 0) - (bar.low ?? 0));
  return bars.filter(bar => width(bar) > 0).sort((a, b) => width(b) - width(a));
}

export interface Study {
  readonly samples: number;
  /** Samples in which the scenario cannot run; they are in no percentile. */
  readonly impossible: number;
  readonly lossShare: number;
  readonly p5: number;
  readonly p50: number;
  readonly p95: number;
  /** All profits per day, ascending. */
  readonly profits: readonly number[];
  /** Spearman's rank correlation of each variable with profit. */
  readonly drivers: readonly { readonly variable: Variable; readonly correlation: number }[];
}

/** Small reproducible generator (mulberry32), uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One value per stratum of [0, 1), shuffled: covers each variable's range evenly with few samples (Latin hypercube). */
function strata(samples: number, random: () => number): Float64Array {
  const values = Float64Array.from({ length: samples }, (_, index) => (index + random()) / samples);
  for (let index = samples - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const kept = values[index] ?? 0;
    values[index] = values[other] ?? 0;
    values[other] = kept;
  }
  return values;
}

function ranks(values: readonly number[]): Float64Array {
  const order = values.map((_, index) => index).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const rank = new Float64Array(values.length);
  for (const [place, index] of order.entries()) rank[index] = place;
  return rank;
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const x = ranks(a);
  const y = ranks(b);
  const middle = (a.length - 1) / 2;
  let product = 0;
  let square = 0;
  for (let index = 0; index < a.length; index++) {
    product += ((x[index] ?? 0) - middle) * ((y[index] ?? 0) - middle);
    square += ((x[index] ?? 0) - middle) ** 2;
  }
  return square === 0 ? 0 : product / square;
}

/** All variables at once, each uniform within its swing: the spread of profit and what drives it. */
export function study(scenario: Scenario, samples: number, seed: number): Study {
  const random = seeded(seed);
  const variables = VARIABLES.filter(variable => matters(scenario, variable));
  const columns = variables.map(variable => ({ variable, draws: strata(samples, random), used: [] as number[] }));
  const profits: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    let varied = scenario;
    for (const { variable, draws } of columns)
      varied = variable.scale(varied, 1 + variable.swing * (2 * (draws[sample] ?? 0.5) - 1));
    const profit = profitOf(varied);
    if (profit === undefined) continue;
    profits.push(profit);
    for (const column of columns) column.used.push(column.draws[sample] ?? 0);
  }
  const drivers = columns.map(({ variable, used }) => ({ variable, correlation: correlation(used, profits) }));
  const sorted = [...profits].sort((a, b) => a - b);
  const at = (quantile: number) => sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] ?? 0;
  return {
    samples,
    impossible: samples - profits.length,
    lossShare: profits.length === 0 ? 1 : sorted.filter(profit => profit < 0).length / profits.length,
    p5: at(0.05),
    p50: at(0.5),
    p95: at(0.95),
    profits: sorted,
    drivers: drivers.sort((a, b) => Math.abs(b.correlation) - Math.abs(a.correlation)),
  };
}
