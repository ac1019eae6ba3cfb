import { exactNumber } from '../requests/exact-json.ts';
import { invalid, type Json } from '../requests/fields.ts';
import { type Bound, compareBounds, decimalRange, integerRange, parseBound } from './number-range.ts';
import { isAnchored, patternExpression } from './pattern.ts';
import { allowFor, bounded, lengths, type Place } from './place.ts';
import { repeated } from './repeat.ts';
import { FREE_FORMATS, textFormat } from './text-formats.ts';

/** OpenAPI's formats of numbers; those of decimals say nothing that JSON could break. */
const NUMBER_FORMATS: ReadonlyMap<unknown, readonly [from: string, to: string] | undefined> = new Map([
  ['int32', ['-2147483648', '2147483647']],
  ['uint32', ['0', '4294967295']],
  ['int64', ['-9223372036854775808', '9223372036854775807']],
  ['uint64', ['0', '18446744073709551615']],
  ['float', undefined],
  ['double', undefined],
  ['decimal', undefined],
]);

export function numberExpression(schema: Json, type: 'integer' | 'number', place: Place): string {
  allowFor(schema, place, 'minimum maximum exclusiveMinimum exclusiveMaximum multipleOf format');
  const { format } = schema;
  // Of a union of types, the format may be another's.
  const own = NUMBER_FORMATS.has(format) || Array.isArray(schema['type']) || format === undefined;
  if (!own) throw invalid(`${place.path}.format`, 'cannot be enforced here', '此处无法强制满足该约束');
  if (schema['multipleOf'] !== undefined && !(schema['multipleOf'] === 1 && type === 'integer'))
    throw invalid(`${place.path}.multipleOf`, 'cannot be enforced here', '此处无法强制满足该约束');
  const [formatFrom, formatTo] = NUMBER_FORMATS.get(format)?.map(text => parseBound(text, false)) ?? [];
  const from = stricter([boundOf(schema, 'minimum', place), boundOf(schema, 'exclusiveMinimum', place), formatFrom], 1);
  const to = stricter([boundOf(schema, 'maximum', place), boundOf(schema, 'exclusiveMaximum', place), formatTo], -1);
  if (from === undefined && to === undefined) return type;
  const range = type === 'integer' ? integerRange(from, to) : decimalRange(from, to);
  if (range === undefined) throw invalid(place.path, 'allows no number', '没有任何数满足此约束');
  return range;
}

function boundOf(schema: Json, keyword: string, place: Place): Bound | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  const text = typeof value === 'number' ? String(value) : (exactNumber(value) ?? '');
  const bound = parseBound(text, keyword.startsWith('exclusive'));
  if (bound === undefined)
    throw invalid(`${place.path}.${keyword}`, 'must be a number of at most 64 digits', '必须是不超过 64 位的数');
  return bound;
}

/** The strictest of several bounds: the largest for `sign` 1, the smallest for -1. */
function stricter(bounds: readonly (Bound | undefined)[], sign: 1 | -1): Bound | undefined {
  return bounds.reduce((best, bound) => {
    if (best === undefined || bound === undefined) return best ?? bound;
    const order = compareBounds(bound, best) * sign;
    return order > 0 || (order === 0 && bound.excluded) ? bound : best;
  }, undefined);
}

export function stringExpression(schema: Json, place: Place): string {
  allowFor(schema, place, 'minLength maxLength pattern format');
  const [least, most] = lengths(schema, 'minLength', 'maxLength', place);
  if (schema['pattern'] !== undefined) return `"\\"" ${matching(schema, [least, most], place)} "\\""`;
  const { format } = schema;
  const isFree =
    format === undefined || FREE_FORMATS.has(format) || (Array.isArray(schema['type']) && NUMBER_FORMATS.has(format));
  if (!isFree) return `"\\"" ${formatted(format, [least, most], place)} "\\""`;
  if (least === 0 && most === undefined) return 'string';
  const end = bounded(least, most, place.rules.bounds?.charactersMax);
  return `"\\"" ${repeated(place.rules, 'char', least, end)} "\\""`;
}

function formatted(format: unknown, [least, most]: readonly [number, number | undefined], place: Place): string {
  const known = textFormat(format);
  if (known === undefined)
    throw invalid(
      `${place.path}.format`,
      'cannot be enforced; date, time, date-time, duration, uuid, email, hostname, ipv4, ipv6 and uri can',
      '无法强制满足；支持 date、time、date-time、duration、uuid、email、hostname、ipv4、ipv6、uri',
    );
  if (least > known.least || (most !== undefined && most < known.most))
    throw invalid(
      `${place.path}.format`,
      `cannot be enforced with these lengths; its texts have ${known.least} to ${known.most} characters`,
      `无法与此长度同时满足；其文本长度为 ${known.least} 到 ${known.most} 个字符`,
    );
  return known.expression;
}

/** Beside a pattern that says a text from start to end, a format is a word about it (JSON Schema 2020-12, 7.2.1). */
function matching(schema: Json, [least, most]: readonly [number, number | undefined], place: Place): string {
  const { pattern, format } = schema;
  const known = textFormat(format);
  if (typeof pattern === 'string') {
    if (known?.pattern === pattern) return formatted(format, [least, most], place);
    const apart = known !== undefined && !isAnchored(pattern);
    const expression = apart ? undefined : patternExpression(pattern, place.rules, { least, most });
    if (expression !== undefined) return expression;
  }
  throw invalid(
    `${place.path}.pattern`,
    'cannot be enforced: it must be regular (classes, groups, alternatives, counts) and agree with format and lengths',
    '无法强制满足：只支持正则的基本部分（字符类、分组、选择、计数），且须与 format 和长度一致',
  );
}
