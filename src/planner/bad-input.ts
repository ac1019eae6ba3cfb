/**
 * A number, unit or name in a scenario that the planner will not compute with. Its message is one sentence that says
 * which field, what is wrong and what would be right; it is meant for the person who wrote the scenario.
 */
export class BadInput extends Error {
  readonly field: string;

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.name = 'BadInput';
    this.field = field;
  }
}

/** Throws {@link BadInput} unless `value` is a finite number within [min, max]. */
export function requireWithin(
  field: string,
  value: number,
  range: { readonly min: number; readonly max: number },
): number {
  if (!Number.isFinite(value)) throw new BadInput(field, `${value} is not a finite number`);
  if (value < range.min || value > range.max) {
    throw new BadInput(field, `${value} is out of range; it must lie between ${range.min} and ${range.max}`);
  }
  return value;
}
