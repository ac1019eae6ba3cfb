import { invalid, isObject, type Json } from '../requests/fields.ts';
import { createGbnfRules, type GbnfRules, type JsonBounds, jsonLiteral, oneOf, WS } from './gbnf.ts';
import { decimalRange, integerRange } from './number-range.ts';

/** Bounds that keep building and running a grammar cheap; far above what people write. */
const DEPTH_MAX = 40;
const CHOICES_MAX = 1_000;
const REPEAT_MAX = 1_000;

/** Say nothing about which values are valid. */
const ANNOTATIONS = new Set(
  '$schema $id $comment $defs definitions $anchor title description default examples example deprecated readOnly writeOnly'.split(
    ' ',
  ),
);

/** Where a schema stands, and what it may refer to. */
interface Place {
  readonly rules: GbnfRules;
  readonly root: unknown;
  /** Name of the request field, then the way down from there. */
  readonly path: string;
  readonly depth: number;
  /** Rules of `$ref` targets, by pointer: recursion ends here. */
  readonly refs: Map<string, string>;
}

/**
 * A grammar whose every sentence is a JSON text valid under `schema`. It may allow less than the schema does (never a
 * property that is not named, no number beyond 16 digits, nothing beyond `bounds`), never more. What it cannot promise is
 * refused by name.
 * @param path how the request names the schema, for error messages
 * @throws Fault `invalid_parameter`
 */
export function jsonSchemaGrammar(schema: unknown, path: string, bounds?: JsonBounds): string {
  return sized(path, () => {
    const rules = createGbnfRules(bounds);
    return rules.text(schemaExpression(schema, { rules, root: schema, path, depth: 0, refs: new Map() }));
  });
}

/** Any JSON object. */
export function jsonObjectGrammar(bounds?: JsonBounds): string {
  return createGbnfRules(bounds).text('object');
}

/**
 * One call of one of these functions, in the notation `{"name": …, "arguments": …}`, between the given texts.
 * @throws Fault `invalid_parameter`
 */
export function toolCallGrammar(
  tools: readonly { readonly name: string; readonly parameters: unknown; readonly path: string }[],
  frame: { readonly before: string; readonly after: string },
  bounds?: JsonBounds,
): string {
  return sized('tools', () => {
    const rules = createGbnfRules(bounds);
    const calls = tools.map(({ name, parameters, path }) => {
      const body = schemaExpression(parameters, { rules, root: parameters, path, depth: 0, refs: new Map() });
      return `"{\\"name\\": " ${jsonLiteral(name)} ", \\"arguments\\": " ${body} "}"`;
    });
    return rules.text(`${frame.before} ${oneOf(calls)} ${frame.after}`);
  });
}

function sized(path: string, build: () => string): string {
  try {
    return build();
  } catch (error) {
    if (error instanceof RangeError) throw invalid(path, 'is too large a schema', '的 schema 过大');
    throw error;
  }
}

function below(place: Place, step: string): Place {
  return { ...place, path: `${place.path}.${step}`, depth: place.depth + 1 };
}

/** The expression for one schema; a rule of its own where it is more than a word, so that texts stay linear. */
function schemaExpression(schema: unknown, place: Place): string {
  if (place.depth > DEPTH_MAX) throw invalid(place.path, `deeper than ${DEPTH_MAX} levels`, `嵌套超过 ${DEPTH_MAX} 层`);
  if (schema === true) return 'value';
  if (!isObject(schema)) throw invalid(place.path, 'is not a schema that any value meets', '不是可满足的 schema');
  const expression = constraint(schema, place);
  const nullable = schema['nullable'] === true ? oneOf([expression, 'null']) : expression;
  if (/^[a-z-]+$/.test(nullable)) return nullable;
  return place.rules.add('s', nullable);
}

function constraint(schema: Json, place: Place): string {
  if (schema['$ref'] !== undefined) return reference(schema, place);
  if (schema['const'] !== undefined) {
    allow(schema, place, 'const type');
    return jsonLiteral(schema['const']);
  }
  if (schema['enum'] !== undefined) return enumeration(schema, place);
  for (const keyword of ['anyOf', 'oneOf', 'allOf'] as const)
    if (schema[keyword] !== undefined) return combination(schema, keyword, place);
  const { type } = schema;
  if (Array.isArray(type)) return oneOf(choices(type, place, 'type').map(each => typed(schema, each, place)));
  return typed(schema, type ?? impliedType(schema), place);
}

/** Refuses what would be dropped in silence. */
function allow(schema: Json, place: Place, keywords: string): void {
  const known = keywords.split(' ');
  for (const key of Object.keys(schema)) {
    if (ANNOTATIONS.has(key) || key === 'nullable' || known.includes(key)) continue;
    throw invalid(`${place.path}.${key}`, 'cannot be enforced here', '此处无法强制满足该约束');
  }
}

function choices(value: unknown, place: Place, keyword: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > CHOICES_MAX)
    throw invalid(
      `${place.path}.${keyword}`,
      `must be a list of 1 to ${CHOICES_MAX}`,
      `必须是 1 到 ${CHOICES_MAX} 项的列表`,
    );
  return value;
}

function enumeration(schema: Json, place: Place): string {
  allow(schema, place, 'enum type');
  return oneOf(choices(schema['enum'], place, 'enum').map(jsonLiteral));
}

function combination(schema: Json, keyword: 'anyOf' | 'oneOf' | 'allOf', place: Place): string {
  allow(schema, place, keyword);
  const branches = choices(schema[keyword], place, keyword);
  if (keyword === 'allOf' && branches.length > 1)
    throw invalid(
      `${place.path}.allOf`,
      'of several schemas cannot be enforced; merge them',
      '无法强制满足多个 schema，请合并',
    );
  // Two branches of oneOf may both match one value, which no grammar can rule out unless they differ by a constant.
  if (keyword === 'oneOf' && branches.length > 1 && !areDisjoint(branches))
    throw invalid(
      `${place.path}.oneOf`,
      'needs branches that differ by type or by a required constant; use anyOf otherwise',
      '各分支须以类型或必填常量相区分，否则请用 anyOf',
    );
  return oneOf(branches.map((branch, index) => schemaExpression(branch, below(place, `${keyword}.${index}`))));
}

/** True where no value can match two branches: different types, or objects with a required constant that differs. */
function areDisjoint(branches: readonly unknown[]): boolean {
  const marks = branches.map(branch => {
    if (!isObject(branch)) return undefined;
    const { type, properties, required } = branch;
    if (type !== 'object') return typeof type === 'string' && type !== 'number' ? [`type:${type}`] : undefined;
    const names = Array.isArray(required) ? required : [];
    const constants = Object.entries(isObject(properties) ? properties : {}).flatMap(([name, property]) =>
      names.includes(name) && isObject(property) && property['const'] !== undefined
        ? [`${name}=${JSON.stringify(property['const'])}`]
        : [],
    );
    return ['type:object', ...constants];
  });
  return marks.every((mark, index) =>
    marks.slice(index + 1).every(other => {
      if (mark === undefined || other === undefined) return false;
      if (mark[0] !== other[0]) return true;
      return mark.slice(1).some(constant => other.some(that => differs(constant, that)));
    }),
  );
}

function differs(constant: string, that: string): boolean {
  return constant !== that && constant.split('=')[0] === that.split('=')[0];
}

function reference(schema: Json, place: Place): string {
  allow(schema, place, '$ref');
  const pointer = schema['$ref'];
  if (typeof pointer !== 'string' || !/^#(\/|$)/.test(pointer))
    throw invalid(`${place.path}.$ref`, 'must point into this schema', '必须指向本 schema 内部');
  const known = place.refs.get(pointer);
  if (known !== undefined) return known;
  let target: unknown = place.root;
  for (const step of pointer.split('/').slice(1)) {
    const key = decoded(step).replaceAll('~1', '/').replaceAll('~0', '~');
    target = isObject(target) && Object.hasOwn(target, key) ? target[key] : undefined;
  }
  if (target === undefined)
    throw invalid(`${place.path}.$ref`, `points at nothing: ${pointer}`, `指向不存在的位置：${pointer}`);
  const name = place.rules.reserve('r');
  place.refs.set(pointer, name);
  place.rules.define(name, schemaExpression(target, below(place, '$ref')));
  return name;
}

/** Percent signs that encode nothing stand for themselves. */
function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

function impliedType(schema: Json): unknown {
  if (schema['properties'] !== undefined || schema['required'] !== undefined) return 'object';
  return schema['items'] === undefined && schema['prefixItems'] === undefined ? undefined : 'array';
}

function typed(schema: Json, type: unknown, place: Place): string {
  switch (type) {
    case undefined:
      allow(schema, place, '');
      return 'value';
    case 'null':
    case 'boolean':
      if (!Array.isArray(schema['type'])) allow(schema, place, 'type');
      return type;
    case 'integer':
    case 'number':
      return numeric(schema, type, place);
    case 'string':
      return stringExpression(schema, place);
    case 'array':
      return arrayExpression(schema, place);
    case 'object':
      return objectExpression(schema, place);
    default:
      throw invalid(`${place.path}.type`, 'is not a type of JSON Schema', '不是 JSON Schema 的类型');
  }
}

/** Keywords of the other types of a union are theirs to check. */
function allowFor(schema: Json, place: Place, keywords: string): void {
  const all =
    'minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength format items prefixItems minItems maxItems properties required additionalProperties';
  allow(schema, place, Array.isArray(schema['type']) ? `type ${all}` : `type ${keywords}`);
}

function numeric(schema: Json, type: 'integer' | 'number', place: Place): string {
  allowFor(schema, place, 'minimum maximum exclusiveMinimum exclusiveMaximum');
  const bound = (keyword: string): bigint | undefined => {
    const value = schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isFinite(value) || Math.abs(value) > 1e18)
      throw invalid(`${place.path}.${keyword}`, 'must be a number within 1e18', '必须是绝对值不超过 1e18 的数');
    const whole = type === 'integer' ? (keyword.endsWith('inimum') ? Math.ceil(value) : Math.floor(value)) : value;
    if (!Number.isInteger(whole) || (type === 'number' && keyword.startsWith('exclusive')))
      throw invalid(
        `${place.path}.${keyword}`,
        'cannot be enforced on decimals; use a whole, inclusive bound',
        '小数只支持整数且包含端点的界限',
      );
    const excluded = keyword.startsWith('exclusive') && whole === value;
    return BigInt(whole) + (excluded ? (keyword.endsWith('inimum') ? 1n : -1n) : 0n);
  };
  const least = largest(bound('minimum'), bound('exclusiveMinimum'), 1n);
  const most = largest(bound('maximum'), bound('exclusiveMaximum'), -1n);
  if (least === undefined && most === undefined) return type;
  const range = type === 'integer' ? integerRange(least, most) : decimalRange(least, most);
  if (range === undefined) throw invalid(place.path, 'allows no number', '没有任何数满足此约束');
  return range;
}

/** The stricter of two bounds: the larger for `sign` 1, the smaller for -1. */
function largest(a: bigint | undefined, b: bigint | undefined, sign: bigint): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a * sign > b * sign ? a : b;
}

const FORMATS: ReadonlyMap<string, string> = new Map([
  ['date', '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])'],
  ['time', '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})? "Z"'],
  ['uuid', '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [1-8] [0-9a-f]{3} "-" [89ab] [0-9a-f]{3} "-" [0-9a-f]{12}'],
]);

function stringExpression(schema: Json, place: Place): string {
  allowFor(schema, place, 'minLength maxLength format');
  const { format } = schema;
  const [least, most] = lengths(schema, 'minLength', 'maxLength', place);
  if (format === undefined) {
    const end = bounded(least, most, place.rules.bounds?.charactersMax);
    return least === 0 && most === undefined ? 'string' : `"\\"" char{${least},${end ?? ''}} "\\""`;
  }
  const known =
    format === 'date-time' ? `${FORMATS.get('date')} "T" ${FORMATS.get('time')}` : FORMATS.get(String(format));
  if (known === undefined || least > 0 || most !== undefined)
    throw invalid(
      `${place.path}.format`,
      'cannot be enforced; date, time, date-time and uuid can, alone',
      '无法强制满足；仅支持单独使用 date、time、date-time、uuid',
    );
  return `"\\"" ${known} "\\""`;
}

function lengths(schema: Json, min: string, max: string, place: Place): readonly [number, number | undefined] {
  const bound = (keyword: string) => {
    const value = schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > REPEAT_MAX)
      throw invalid(
        `${place.path}.${keyword}`,
        `must be a whole number up to ${REPEAT_MAX}`,
        `必须是不超过 ${REPEAT_MAX} 的整数`,
      );
    return value;
  };
  const [least, most] = [bound(min) ?? 0, bound(max)];
  if (most !== undefined && most < least) throw invalid(`${place.path}.${max}`, `is below ${min}`, `小于 ${min}`);
  return [least, most];
}

/** The upper end of a length: the bound where it is less, and never less than the lower end. */
function bounded(least: number, most: number | undefined, bound: number | undefined): number | undefined {
  if (bound === undefined) return most;
  return Math.max(least, Math.min(most ?? bound, bound));
}

function arrayExpression(schema: Json, place: Place): string {
  allowFor(schema, place, 'items prefixItems minItems maxItems');
  const [least, most] = lengths(schema, 'minItems', 'maxItems', place);
  if (schema['prefixItems'] !== undefined) {
    const items = choices(schema['prefixItems'], place, 'prefixItems');
    if (least > items.length || (most !== undefined && most < items.length))
      throw invalid(
        `${place.path}.prefixItems`,
        'does not agree with minItems and maxItems',
        '与 minItems、maxItems 不一致',
      );
    const each = items.map((item, index) => schemaExpression(item, below(place, `prefixItems.${index}`)));
    return `"[" ${WS} ${each.join(` "," ${WS} `)} ${WS} "]"`;
  }
  if (most === 0) return `"[" ${WS} "]"`;
  const item = schema['items'] === undefined ? 'value' : schemaExpression(schema['items'], below(place, 'items'));
  const end = bounded(least, most, place.rules.bounds?.itemsMax);
  const more = `("," ${WS} ${item}){${Math.max(0, least - 1)},${end === undefined ? '' : end - 1}}`;
  return least === 0 ? `"[" ${WS} (${item} ${more})? ${WS} "]"` : `"[" ${WS} ${item} ${more} ${WS} "]"`;
}

function objectExpression(schema: Json, place: Place): string {
  allowFor(schema, place, 'properties required additionalProperties');
  const properties = schema['properties'] ?? {};
  if (!isObject(properties)) throw invalid(`${place.path}.properties`, 'must be an object', '必须是对象');
  const required = schema['required'] ?? [];
  if (!Array.isArray(required)) throw invalid(`${place.path}.required`, 'must be a list', '必须是列表');
  const names = Object.keys(properties);
  for (const name of required)
    if (!names.includes(name))
      throw invalid(
        `${place.path}.required`,
        `names ${JSON.stringify(name)}, which has no schema`,
        `包含未定义的属性 ${JSON.stringify(name)}`,
      );
  const extra = schema['additionalProperties'] ?? true;
  if (names.length === 0) {
    if (extra === false) return `"{" ${WS} "}"`;
    const value = schemaExpression(extra, below(place, 'additionalProperties'));
    const { bounds } = place.rules;
    const more = bounds === undefined ? '*' : `{0,${bounds.itemsMax - 1}}`;
    return `"{" ${WS} (string ":" ${WS} ${value} ("," ${WS} string ":" ${WS} ${value})${more})? ${WS} "}"`;
  }
  return `"{" ${WS} ${members(properties, new Set(required), place)} ${WS} "}"`;
}

/** The named properties in their order: `first` while none was written yet, `more` after one was. */
function members(properties: Json, required: ReadonlySet<unknown>, place: Place): string {
  let first = '';
  let more = '';
  for (const [name, property] of Object.entries(properties).reverse()) {
    const value = schemaExpression(property, below(place, `properties.${name}`));
    const member = `${jsonLiteral(name)} ":" ${WS} ${value}`;
    const withMore = more === '' ? member : `${member} ${more}`;
    // Each tail becomes a rule: written out, they would double with every optional property.
    first = place.rules.add('f', required.has(name) ? withMore : `${withMore} | ${first === '' ? '""' : first}`);
    const separated = `"," ${WS} ${member}`;
    const tail = required.has(name) ? separated : `(${separated})?`;
    more = place.rules.add('m', more === '' ? tail : `${tail} ${more}`);
  }
  return first;
}
