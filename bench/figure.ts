/** Words for people, in both languages. */
export interface Words {
  readonly en: string;
  readonly zh: string;
}

export type Unit = 'µs' | 'ms' | '×' | 'requests/s' | 'kB' | 'MB' | '%' | 'events';

/** Over the rounds: how far apart they lie says how much noise there was. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface Target {
  readonly most?: number;
  readonly least?: number;
}

/** One measured value; with a target where one is claimed. The median is judged. */
export interface Figure {
  readonly id: string;
  readonly what: Words;
  readonly unit: Unit;
  readonly measured: Spread;
  readonly target?: Target;
  readonly met?: boolean;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(middle)] ?? Number.NaN;
  return {
    min: round(sorted[0] ?? Number.NaN),
    median: round((low + high) / 2),
    max: round(sorted.at(-1) ?? Number.NaN),
  };
}

/** Three decimals: more would be noise. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** A figure from its rounds; undefined where a round did not give it, as on systems that do not tell a process's CPU. */
export function figureOf(
  { id, what, unit, target }: Pick<Figure, 'id' | 'what' | 'unit' | 'target'>,
  rounds: readonly (number | undefined)[],
): Figure[] {
  const values = rounds.filter(value => value !== undefined);
  if (values.length === 0 || values.length < rounds.length) return [];
  const measured = spreadOf(values);
  if (!target) return [{ id, what, unit, measured }];
  const met = measured.median <= (target.most ?? Infinity) && measured.median >= (target.least ?? -Infinity);
  return [{ id, what, unit, measured, target, met }];
}
