import { BadInput, requireWithin } from './bad-input.ts';
import type { Words } from './case-result.ts';
import { type Money, type MoneyKind, parseMoney, parseQuantity, type QuantityKind } from './quantity.ts';

/** One mapping of a scenario file, read strictly: unknown keys are refused, so that a misspelt one never passes as a default. */
export interface Section {
  readonly path: string;
  has(key: string): boolean;
  text(key: string): string | undefined;
  choice<Value extends string>(key: string, values: readonly Value[], fallback: Value): Value;
  flag(key: string, fallback: boolean): boolean;
  count(key: string, fallback: number, range?: { readonly min: number; readonly max: number }): number;
  quantity(key: string, kind: QuantityKind): number | undefined;
  money(key: string, kind: MoneyKind): Money | undefined;
  numbers(key: string): readonly number[] | undefined;
  section(key: string, keys: readonly string[]): Section | undefined;
  raw(key: string): unknown;
  /** Throws where a field is there that `reason` leaves without effect: a value that would be ignored is a slip. */
  without(keys: readonly string[], reason: Words): void;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function oneOf<Value extends string>(field: string, text: string, values: readonly Value[]): Value {
  const found = values.find(candidate => candidate === text);
  if (found !== undefined) return found;
  throw new BadInput(field, `"${text}" is none of ${values.join(', ')}`, `“${text}”不在 ${values.join('、')} 之中`);
}

/** Opens a mapping whose keys must all be among `keys`. Throws {@link BadInput} that names the field. */
export function openSection(path: string, value: unknown, keys: readonly string[]): Section {
  if (!isRecord(value))
    throw new BadInput(path || 'scenario', 'must be a mapping of names to values', '应为“名称: 值”的映射');
  const at = (key: string): string => (path ? `${path}.${key}` : key);
  for (const key of Object.keys(value)) {
    if (!keys.includes(key))
      throw new BadInput(
        at(key),
        `unknown field; known here are ${keys.join(', ')}`,
        `未知字段，此处可用 ${keys.join('、')}`,
      );
  }
  const record = value;
  const scalar = (key: string): string | undefined => {
    const found = record[key];
    if (found === undefined || found === null) return undefined;
    if (typeof found !== 'string' && typeof found !== 'number')
      throw new BadInput(at(key), 'must be text or a number', '应为文本或数字');
    return String(found);
  };
  return {
    path,
    has: key => record[key] !== undefined && record[key] !== null,
    raw: key => record[key],
    without: (forbidden, reason) => {
      for (const key of forbidden) {
        if (record[key] !== undefined && record[key] !== null)
          throw new BadInput(at(key), `has no effect ${reason.en}; leave it out`, `${reason.zh}不起作用，请删去`);
      }
    },
    text: scalar,
    choice: (key, values, fallback) => {
      const text = scalar(key);
      if (text === undefined) return fallback;
      return oneOf(at(key), text, values);
    },
    flag: (key, fallback) => {
      const found = record[key];
      if (found === undefined) return fallback;
      if (typeof found !== 'boolean') throw new BadInput(at(key), 'must be true or false', '应为 true 或 false');
      return found;
    },
    count: (key, fallback, range = { min: 0, max: 1e6 }) => {
      const text = scalar(key);
      if (text === undefined) return fallback;
      return requireWithin(at(key), Number(text), range);
    },
    quantity: (key, kind) => {
      const text = scalar(key);
      return text === undefined ? undefined : parseQuantity(at(key), text, kind);
    },
    money: (key, kind) => {
      const text = scalar(key);
      return text === undefined ? undefined : parseMoney(at(key), text, kind);
    },
    numbers: key => {
      const found = record[key];
      if (found === undefined || typeof found === 'string') return undefined;
      if (!Array.isArray(found)) throw new BadInput(at(key), 'must be a list of numbers', '应为数字列表');
      return found.map((item, index) => requireWithin(`${at(key)}[${index}]`, Number(item), { min: 0, max: 1e6 }));
    },
    section: (key, inner) =>
      record[key] === undefined || record[key] === null ? undefined : openSection(at(key), record[key], inner),
  };
}
