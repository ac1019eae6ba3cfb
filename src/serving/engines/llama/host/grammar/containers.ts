import { invalid, isObject, type Json } from '../requests/fields.ts';
import { type GbnfRules, jsonLiteral, oneOf, WS } from './gbnf.ts';
import { patternExpression } from './pattern.ts';
import { allowFor, below, bounded, isNever, lengths, type Place } from './place.ts';
import { repeated } from './repeat.ts';
import { type Alternative, type Member, named, type Value } from './schema-values.ts';

/** Each may come next, and llama.cpp compares each with each: 1,000 took a third of a second with every answer. */
const OPTIONAL_MAX = 256;

export function arrayAlternative(schema: Json, place: Place): Alternative {
  allowFor(schema, place, 'items prefixItems minItems maxItems');
  const [least, most] = lengths(schema, 'minItems', 'maxItems', place);
  // Until 2019 a list of `items` was what `prefixItems` is now.
  const prefix = schema['prefixItems'] ?? (Array.isArray(schema['items']) ? schema['items'] : undefined);
  if (prefix !== undefined) return tuple(prefix, [least, most], place);
  if (most === 0 || isNever(schema['items'])) return emptyList(least, place);
  const item = place.read(schema['items'] ?? true, below(place, 'items'));
  const end = bounded(least, most, place.rules.bounds?.itemsMax);
  const expression = listOf(place.rules, item.expression, '"[" ', ' "]"', [least, end]);
  return { type: 'array', expression, children: [item] };
}

function emptyList(least: number, place: Place): Alternative {
  if (least > 0) throw invalid(place.path, 'is not a schema that any value meets', '不是可满足的 schema');
  return { type: 'array', expression: `"[" ${WS} "]"` };
}

function tuple(prefix: unknown, [least, most]: readonly [number, number | undefined], place: Place): Alternative {
  if (!Array.isArray(prefix) || prefix.length === 0 || prefix.length > 1_000)
    throw invalid(`${place.path}.prefixItems`, 'must be a list of 1 to 1000', '必须是 1 到 1000 项的列表');
  if (least > prefix.length || (most !== undefined && most < prefix.length))
    throw invalid(
      `${place.path}.prefixItems`,
      'does not agree with minItems and maxItems',
      '与 minItems、maxItems 不一致',
    );
  const items = prefix.map((item: unknown, index) => place.read(item, below(place, `prefixItems.${index}`)));
  const expression = `"[" ${WS} ${items.map(item => item.expression).join(` "," ${WS} `)} ${WS} "]"`;
  return { type: 'array', expression, children: items };
}

/** `item`s with commas, between the brackets. */
function listOf(
  rules: GbnfRules,
  item: string,
  open: string,
  close: string,
  [least, most]: readonly [number, number | undefined],
): string {
  const next = rules.add('i', `"," ${WS} ${item}`);
  const more = repeated(rules, next, Math.max(0, least - 1), most === undefined ? undefined : Math.max(0, most - 1));
  if (least === 0) return `${open}${WS} (${item} ${more})? ${WS}${close}`;
  return `${open}${WS} ${item} ${more} ${WS}${close}`;
}

export function objectAlternative(schema: Json, place: Place): Alternative {
  allowFor(
    schema,
    place,
    'properties required additionalProperties propertyNames patternProperties minProperties maxProperties',
  );
  const properties = schema['properties'] ?? {};
  if (!isObject(properties)) throw invalid(`${place.path}.properties`, 'must be an object', '必须是对象');
  const required = schema['required'] ?? [];
  if (!Array.isArray(required)) throw invalid(`${place.path}.required`, 'must be a list', '必须是列表');
  const counts = lengths(schema, 'minProperties', 'maxProperties', place);
  const named = Object.entries(properties).filter(([name, property]) => required.includes(name) || !isNever(property));
  const keys = named.length === 0 ? boundKeys(schema, place) : undefined;
  if (keys) return record(schema, keys, new Set(required), counts, place);
  for (const name of required)
    if (!Object.hasOwn(properties, String(name)))
      throw invalid(
        `${place.path}.required`,
        `names ${JSON.stringify(name)}, which has no schema`,
        `包含未定义的属性 ${JSON.stringify(name)}`,
      );
  if (named.length === 0) return openObject(schema, counts, place);
  checkNames(schema, named, place);
  return namedObject(named, new Set(required), counts, place);
}

/** The only names that `propertyNames` allows, where they are few: how zod and pydantic write a map over an enumeration. */
function boundKeys(schema: Json, place: Place): readonly string[] | undefined {
  if (schema['propertyNames'] === undefined) return undefined;
  const { alternatives = [] } = place.read(schema['propertyNames'], below(place, 'propertyNames'));
  const texts = alternatives.filter(({ type }) => type === 'string').map(({ literals }) => literals);
  if (texts.length === 0 || texts.includes(undefined)) return undefined;
  return texts.flatMap(each => each ?? []);
}

/** A map over an enumeration of which some keys must be there: an object with these properties. */
function record(
  schema: Json,
  keys: readonly string[],
  required: ReadonlySet<unknown>,
  counts: Counts,
  place: Place,
): Alternative {
  const names = keys.map((text): string => JSON.parse(text));
  for (const name of required)
    if (typeof name !== 'string' || !names.includes(name))
      throw invalid(
        `${place.path}.required`,
        `names ${JSON.stringify(name)}, which has no schema`,
        `包含未定义的属性 ${JSON.stringify(name)}`,
      );
  const extra = schema['additionalProperties'] ?? true;
  return namedObject(
    names.map(name => [name, extra]),
    required,
    counts,
    place,
  );
}

/** With named properties, whether a name is allowed is known now. */
function checkNames(schema: Json, properties: readonly (readonly [string, unknown])[], place: Place): void {
  const rule = schema['propertyNames'];
  if (rule === undefined || rule === true) return;
  const { alternatives = [] } = place.read(rule, below(place, 'propertyNames'));
  const isFree = alternatives.some(({ type, expression }) => type === 'any' || expression === 'string');
  const texts = new Set(alternatives.flatMap(({ literals }) => literals ?? []));
  if (!isFree && !properties.every(([name]) => texts.has(JSON.stringify(name))))
    throw invalid(`${place.path}.propertyNames`, 'cannot be enforced here', '此处无法强制满足该约束');
}

type Counts = readonly [least: number, most: number | undefined];

/** Names are open: those that `propertyNames` or one pattern allows, in any number. */
function openObject(schema: Json, [least, most]: Counts, place: Place): Alternative {
  const { rules } = place;
  const patterns = schema['patternProperties'];
  let key = keyExpression(schema['propertyNames'], place);
  let rest: unknown = schema['additionalProperties'] ?? true;
  if (patterns !== undefined) {
    const [only, ...others] = isObject(patterns) ? Object.entries(patterns) : [];
    const pattern = only && patternExpression(only[0], rules, { least: 0, most: undefined });
    if (only === undefined || pattern === undefined || others.length > 0 || schema['propertyNames'] !== undefined)
      throw invalid(`${place.path}.patternProperties`, 'cannot be enforced here', '此处无法强制满足该约束');
    key = rules.add('k', `"\\"" ${pattern} "\\""`);
    rest = only[1];
  }
  if (isNever(rest) || most === 0) {
    if (least > 0) throw invalid(place.path, 'is not a schema that any value meets', '不是可满足的 schema');
    return { type: 'object', expression: `"{" ${WS} "}"`, members: [] };
  }
  const value = place.read(rest, below(place, patterns === undefined ? 'additionalProperties' : 'patternProperties'));
  const end = bounded(least, most, rules.bounds?.itemsMax);
  const member = rules.add('k', `${key} ":" ${WS} ${value.expression}`);
  return { type: 'object', expression: listOf(rules, member, '"{" ', ' "}"', [least, end]), children: [value] };
}

function keyExpression(schema: unknown, place: Place): string {
  if (schema === undefined || schema === true) return 'string';
  const { alternatives = [] } = place.read(schema, below(place, 'propertyNames'));
  if (alternatives.some(({ type }) => type === 'any')) return 'string';
  const texts = alternatives.filter(({ type }) => type === 'string').map(({ expression }) => expression);
  if (texts.length === 0) throw invalid(`${place.path}.propertyNames`, 'allows no name', '不允许任何名称');
  return named(place.rules, oneOf(texts));
}

function namedObject(
  properties: readonly (readonly [string, unknown])[],
  required: ReadonlySet<unknown>,
  [least, most]: Counts,
  place: Place,
): Alternative {
  const must = properties.filter(([name]) => required.has(name)).length;
  if (properties.length - must > OPTIONAL_MAX) throw new RangeError(`more than ${OPTIONAL_MAX} optional properties`);
  if (least > must || (most !== undefined && most < properties.length))
    throw invalid(
      `${place.path}.minProperties`,
      'cannot be enforced beside named properties',
      '无法与具名属性同时强制满足',
    );
  const read = properties.map(([name, property]) => {
    const value = place.read(property, below(place, `properties.${name}`));
    return { name, required: required.has(name), value, literals: onlyLiterals(value) };
  });
  // A constant that must be there comes first: it tells which of several objects this is, before anything else is read.
  const isMark = (member: Member) => member.required && member.literals?.length === 1;
  const ordered = [...read.filter(isMark), ...read.filter(member => !isMark(member))];
  return {
    type: 'object',
    expression: `"{" ${WS} ${members(ordered, place.rules)} ${WS} "}"`,
    members: ordered,
    children: read.map(({ value }) => value),
  };
}

function onlyLiterals({ alternatives = [] }: Value): readonly string[] | undefined {
  const texts = alternatives.map(({ literals }) => literals);
  return texts.length === 0 || texts.includes(undefined) ? undefined : texts.flatMap(each => each ?? []);
}

/** The named properties in their order: `first` while none was written yet, `more` after one was. */
function members(properties: readonly (Member & { readonly value: Value })[], rules: GbnfRules): string {
  let first = '';
  let more = '';
  for (const { name, required, value } of properties.toReversed()) {
    const member = `${jsonLiteral(name)} ":" ${WS} ${value.expression}`;
    const withMore = more === '' ? member : `${member} ${more}`;
    // Each tail becomes a rule: written out, they would double with every optional property.
    first = rules.add('f', required ? withMore : `${withMore} | ${first === '' ? '""' : first}`);
    const separated = `"," ${WS} ${member}`;
    const tail = required ? separated : `(${separated})?`;
    more = rules.add('m', more === '' ? tail : `${tail} ${more}`);
  }
  return first;
}
