/**
 * A number, unit or name in a scenario that the planner will not compute with. One sentence, in English (`message`) and Chinese
 * (`zh`), says which field, what is wrong and what would be right; it is meant for the person who wrote the scenario.
 */
export class BadInput extends Error {
  readonly field: string;
  readonly zh: string;

  constructor(field: string, problem: string, zh: string) {
    super(`${field}: ${problem}`);
    this.name = 'BadInput';
    this.field = field;
    this.zh = `${field}：${zh}`;
  }
}

/** Throws {@link BadInput} unless `value` is a finite number within [min, max]. */
export function requireWithin(
  field: string,
  value: number,
  range: { readonly min: number; readonly max: number },
): number {
  if (!Number.isFinite(value)) throw new BadInput(field, `${value} is not a finite number`, `${value} 不是有限的数`);
  if (value < range.min || value > range.max) {
    throw new BadInput(
      field,
      `${value} is out of range; it must lie between ${range.min} and ${range.max}`,
      `${value} 超出范围，应在 ${range.min} 与 ${range.max} 之间`,
    );
  }
  return value;
}
