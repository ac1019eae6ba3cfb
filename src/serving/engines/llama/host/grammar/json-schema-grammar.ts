import { exactNumber, stringifyExact } from '../requests/exact-json.ts';
import { invalid, isObject, type Json } from '../requests/fields.ts';
import { arrayAlternative, objectAlternative } from './containers.ts';
import { createGbnfRules, type JsonBounds, jsonLiteral, oneOf } from './gbnf.ts';
import { allow, allowFor, below, choices, isNever, type Place } from './place.ts';
import { numberExpression, stringExpression } from './scalars.ts';
import {
  type Alternative,
  ANY,
  areDisjoint,
  complete,
  isTractable,
  literals,
  merged,
  unionExpression,
  type Value,
} from './schema-values.ts';

/** Bounds that keep building and running a grammar cheap; far above what people write. */
const DEPTH_MAX = 40;
const VALUES_MAX = 10_000;

/**
 * A grammar whose every sentence is a JSON text valid under `schema`. It may allow less than the schema does (never a
 * property that is not named, no number beyond 64 digits, nothing beyond `bounds`), never more. What it cannot promise is
 * refused by name, and so is what would take a reader without end to keep.
 * @param path how the request names the schema, for error messages
 * @throws Fault `invalid_parameter`
 */
export function jsonSchemaGrammar(schema: unknown, path: string, bounds?: JsonBounds): string {
  return sized(path, () => {
    const place = root(schema, path, createGbnfRules(bounds));
    return place.rules.text(readWhole(schema, place));
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
      const place = root(parameters, path, rules);
      const expression = readWhole(parameters, place);
      return `"{\\"name\\": " ${jsonLiteral(name)} ", \\"arguments\\": " ${expression} "}"`;
    });
    return rules.text(`${frame.before} ${oneOf(calls)} ${frame.after}`);
  });
}

function root(schema: unknown, path: string, rules: Place['rules']): Place {
  return { rules, root: schema, path, depth: 0, refs: new Map(), values: [], read };
}

function readWhole(schema: unknown, place: Place): string {
  const { expression } = read(schema, place);
  const { path, values } = place;
  for (const value of values) settled(value, place);
  if (!isTractable(values))
    throw invalid(
      path,
      'has branches that cannot be told apart before what they hold; let them differ by a required constant or by type',
      '含有无法区分的分支：请让各分支以必填常量或类型相区别',
    );
  return expression;
}

function sized(path: string, build: () => string): string {
  try {
    return build();
  } catch (error) {
    if (error instanceof RangeError) throw invalid(path, 'is too large a schema', '的 schema 过大');
    throw error;
  }
}

function read(schema: unknown, place: Place): Value {
  if (place.depth > DEPTH_MAX) throw invalid(place.path, `deeper than ${DEPTH_MAX} levels`, `嵌套超过 ${DEPTH_MAX} 层`);
  const value = isObject(schema) && schema['$ref'] !== undefined ? reference(schema, place) : unnamed(schema, place);
  // Repeated references count too: each is work for every union that it stands in.
  if (place.values.push(value) > VALUES_MAX) throw new RangeError(`more than ${VALUES_MAX} schemas`);
  return value;
}

/** A value that is known now; or one that waits for a reference whose schema is still being read, as a rule to be written then. */
function unnamed(schema: unknown, place: Place): Value {
  const found = alternativesOf(schema, place);
  if (typeof found !== 'function') return complete(place.rules, found);
  return { expression: place.rules.reserve('u'), alternatives: undefined, settle: found };
}

type Found = readonly Alternative[] | (() => readonly Alternative[]);

function alternativesOf(schema: unknown, place: Place): Found {
  if (schema === true) return [ANY];
  if (!isObject(schema) || isNever(schema))
    throw invalid(place.path, 'is not a schema that any value meets', '不是可满足的 schema');
  const found = constraint(schema, place);
  const finish = (all: readonly Alternative[]) =>
    merged(schema['nullable'] === true ? [...all, { type: 'null', expression: 'null' }] : all);
  return typeof found === 'function' ? () => finish(found()) : finish(found);
}

/** What a value turned out to be, when all was read. @throws Fault where it is itself and nothing else */
function settled(value: Value, place: Place): readonly Alternative[] {
  if (value.alternatives !== undefined) return value.alternatives;
  const { settle } = value;
  if (settle === undefined) throw endless(place);
  value.settle = undefined;
  const found = settle();
  value.alternatives = found;
  place.rules.define(value.expression, unionExpression(found));
  return found;
}

function constraint(schema: Json, place: Place): Found {
  if (schema['const'] !== undefined) {
    allow(schema, place, 'const type');
    return [literalOf(schema['const'])];
  }
  if (schema['enum'] !== undefined) {
    allow(schema, place, 'enum type');
    return byType(choices(schema['enum'], place, 'enum').map(literalOf));
  }
  for (const keyword of ['anyOf', 'oneOf', 'allOf'] as const)
    if (schema[keyword] !== undefined) return combination(schema, keyword, place);
  const { type } = schema;
  if (Array.isArray(type)) return choices(type, place, 'type').map(each => typed(schema, each, place));
  return [typed(schema, type ?? impliedType(schema), place)];
}

function literalOf(value: unknown): Alternative {
  return literals(jsonType(value), [stringifyExact(value)]);
}

function jsonType(value: unknown): Alternative['type'] {
  if (value === null) return 'null';
  if (typeof value === 'number' || exactNumber(value) !== undefined) return 'number';
  if (typeof value === 'boolean' || typeof value === 'string') return typeof value === 'boolean' ? 'boolean' : 'string';
  return Array.isArray(value) ? 'array' : 'object';
}

/** A thousand constants are as many texts, and not as many alternatives. */
function byType(found: readonly Alternative[]): readonly Alternative[] {
  const groups = Map.groupBy(found, ({ type }) => type);
  return [...groups].map(([type, group]) => literals(type, [...new Set(group.flatMap(each => each.literals ?? []))]));
}

/** A type beside a combination holds for all of its branches. */
function ofTypes(type: unknown, found: readonly Alternative[], place: Place): readonly Alternative[] {
  if (type === undefined) return found;
  const types = Array.isArray(type) ? type : [type];
  if (found.some(each => each.type === 'any')) return types.map(each => typed({ type: each }, each, place));
  const kept = found.filter(each => types.includes(each.type) || (each.type === 'integer' && types.includes('number')));
  if (kept.length === 0) throw invalid(place.path, 'is not a schema that any value meets', '不是可满足的 schema');
  return kept;
}

function combination(schema: Json, keyword: 'anyOf' | 'oneOf' | 'allOf', place: Place): Found {
  allow(schema, place, `${keyword} type discriminator`);
  const branches = choices(schema[keyword], place, keyword).filter(branch => !isNever(branch));
  if (keyword === 'allOf' && branches.length > 1)
    throw invalid(
      `${place.path}.allOf`,
      'of several schemas cannot be enforced; merge them',
      '无法强制满足多个 schema，请合并',
    );
  const values = branches.map((branch, index) => read(branch, below(place, `${keyword}.${index}`)));
  const finish = () => {
    const found = values.map(value => settled(value, place));
    if (keyword === 'oneOf') refuseOverlap(found, place);
    return ofTypes(schema['type'], found.flat(), place);
  };
  return values.every(({ alternatives }) => alternatives !== undefined) ? finish() : finish;
}

/** Two branches of oneOf may both match one value, which no grammar can rule out unless they differ by a constant. */
function refuseOverlap(found: readonly (readonly Alternative[])[], place: Place): void {
  if (found.every((one, at) => found.slice(at + 1).every(other => apart(one, other)))) return;
  throw invalid(
    `${place.path}.oneOf`,
    'needs branches that differ by type or by a required constant; use anyOf otherwise',
    '各分支须以类型或必填常量相区分，否则请用 anyOf',
  );
}

function apart(one: readonly Alternative[], other: readonly Alternative[]): boolean {
  return one.every(a => other.every(b => areDisjoint(a, b)));
}

function endless({ path }: Place): Error {
  return invalid(path, 'has a schema that no finite value meets', '的 schema 没有有限的值可以满足');
}

function reference(schema: Json, place: Place): Value {
  allow(schema, place, '$ref');
  const pointer = schema['$ref'];
  if (typeof pointer !== 'string' || !/^#(\/|$)/.test(pointer))
    throw invalid(`${place.path}.$ref`, 'must point into this schema', '必须指向本 schema 内部');
  const known = place.refs.get(pointer);
  if (known !== undefined) return known;
  let target: unknown = place.root;
  for (const step of pointer.split('/').slice(1)) {
    const key = decoded(step).replaceAll('~1', '/').replaceAll('~0', '~');
    target = stepInto(target, key);
  }
  if (target === undefined)
    throw invalid(`${place.path}.$ref`, `points at nothing: ${pointer}`, `指向不存在的位置：${pointer}`);
  const value: Value = { expression: place.rules.reserve('r'), alternatives: undefined };
  place.refs.set(pointer, value);
  const found = read(target, below(place, '$ref'));
  value.settle = () => settled(found, place);
  if (found.alternatives !== undefined) settled(value, place);
  return value;
}

function stepInto(target: unknown, key: string): unknown {
  if (Array.isArray(target)) return /^(0|[1-9]\d{0,5})$/.test(key) ? target[Number(key)] : undefined;
  return isObject(target) && Object.hasOwn(target, key) ? target[key] : undefined;
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
  if (
    ['properties', 'required', 'additionalProperties', 'propertyNames', 'patternProperties'].some(key => key in schema)
  )
    return 'object';
  if (['minLength', 'maxLength', 'pattern'].some(key => key in schema)) return undefined;
  return schema['items'] === undefined && schema['prefixItems'] === undefined ? undefined : 'array';
}

function typed(schema: Json, type: unknown, place: Place): Alternative {
  switch (type) {
    case undefined:
      allow(schema, place, '');
      return ANY;
    case 'null':
    case 'boolean':
      allowFor(schema, place, '');
      return { type, expression: type };
    case 'integer':
    case 'number':
      return { type, expression: numberExpression(schema, type, place) };
    case 'string':
      return { type, expression: stringExpression(schema, place) };
    case 'array':
      return arrayAlternative(schema, place);
    case 'object':
      return objectAlternative(schema, place);
    default:
      throw invalid(`${place.path}.type`, 'is not a type of JSON Schema', '不是 JSON Schema 的类型');
  }
}
