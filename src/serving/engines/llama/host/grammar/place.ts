import { invalid, isObject, type Json } from '../requests/fields.ts';
import type { GbnfRules } from './gbnf.ts';
import type { Value } from './schema-values.ts';

/** Where a schema stands, and what it may refer to. */
export interface Place {
  readonly rules: GbnfRules;
  readonly root: unknown;
  /** Name of the request field, then the way down from there. */
  readonly path: string;
  readonly depth: number;
  /** Values of `$ref` targets, by pointer: recursion ends here. */
  readonly refs: Map<string, Value>;
  /** All values that were read. */
  readonly values: Value[];
  /** Reads a schema that stands within another. */
  readonly read: (schema: unknown, place: Place) => Value;
}

const CHOICES_MAX = 1_000;
/** What no memory holds needs no bound. */
const COUNT_MAX = 1_000_000_000;

/** Say nothing about which values are valid. */
const ANNOTATIONS = new Set(
  '$schema $id $comment $defs definitions $anchor $dynamicAnchor title description default examples example deprecated readOnly writeOnly nullable contentMediaType contentEncoding contentSchema externalDocs xml'.split(
    ' ',
  ),
);

export function below(place: Place, step: string): Place {
  return { ...place, path: `${place.path}.${step}`, depth: place.depth + 1 };
}

/** Refuses what would be dropped in silence. */
export function allow(schema: Json, place: Place, keywords: string): void {
  const known = keywords.split(' ');
  for (const key of Object.keys(schema)) {
    if (ANNOTATIONS.has(key) || key.startsWith('x-') || known.includes(key)) continue;
    if (key === 'uniqueItems' && schema[key] === false) continue;
    throw invalid(`${place.path}.${key}`, 'cannot be enforced here', '此处无法强制满足该约束');
  }
}

/** Keywords of the other types of a union are theirs to check. */
export function allowFor(schema: Json, place: Place, keywords: string): void {
  const all =
    'minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format items prefixItems minItems maxItems properties required additionalProperties propertyNames patternProperties minProperties maxProperties';
  allow(schema, place, Array.isArray(schema['type']) ? `type ${all}` : `type ${keywords}`);
}

export function choices(value: unknown, place: Place, keyword: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > CHOICES_MAX)
    throw invalid(
      `${place.path}.${keyword}`,
      `must be a list of 1 to ${CHOICES_MAX}`,
      `必须是 1 到 ${CHOICES_MAX} 项的列表`,
    );
  return value;
}

/** `false`, and how zod writes it. */
export function isNever(schema: unknown): boolean {
  if (!isObject(schema)) return schema === false;
  const not = schema['not'];
  return not === true || (isObject(not) && Object.keys(not).length === 0);
}

/** The two ends of a length or a count. @throws Fault */
export function lengths(schema: Json, min: string, max: string, place: Place): readonly [number, number | undefined] {
  const bound = (keyword: string) => {
    const value = schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      throw invalid(`${place.path}.${keyword}`, 'must be a whole number', '必须是整数');
    return value;
  };
  const [least, most] = [bound(min) ?? 0, bound(max)];
  if (least > COUNT_MAX) throw invalid(`${place.path}.${min}`, `must be at most ${COUNT_MAX}`, `不得超过 ${COUNT_MAX}`);
  if (most !== undefined && most < least) throw invalid(`${place.path}.${max}`, `is below ${min}`, `小于 ${min}`);
  return [least, most !== undefined && most > COUNT_MAX ? undefined : most];
}

/** The upper end of a length: the bound where it is less, and never less than the lower end. */
export function bounded(least: number, most: number | undefined, bound: number | undefined): number | undefined {
  if (bound === undefined) return most;
  return Math.max(least, Math.min(most ?? bound, bound));
}
