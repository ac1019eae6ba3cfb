import { parseExact, stringifyExact } from '../requests/exact-json.ts';
import { isObject } from '../requests/fields.ts';

export interface ToolCall {
  readonly name: string;
  /** JSON text; cut off where the answer was. */
  readonly arguments: string;
}

/** JSON types that each parameter of each function takes: notations without JSON say by nothing else what `12` is. */
export type ToolTypes = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;

export const TOOL_OPEN = '<tool_call>';
export const TOOL_CLOSE = '</tool_call>';
/** How Qwen3-Coder writes a call, at times without the marks around it. */
export const FUNCTION_OPEN = '<function=';
export const FUNCTION_CLOSE = '</function>';
const PARAMETER_OPEN = '<parameter=';
const PARAMETER_CLOSE = '</parameter>';
const NAME = /^[\w.-]{1,64}$/;
const KEY_OPEN = '<arg_key>';
const KEY_CLOSE = '</arg_key>';
const VALUE_OPEN = '<arg_value>';
const VALUE_CLOSE = '</arg_value>';

/**
 * The call that stands between the marks, in the notation of Hermes and Qwen (JSON), Qwen3-Coder (`<function=name>`) or GLM
 * (name, then `<arg_key>` and `<arg_value>`).
 * @param cut what the length limit left of a call: its arguments as far as they came
 */
export function readCall(body: string, types: ToolTypes, cut: boolean): ToolCall | undefined {
  const text = body.trim();
  if (text.startsWith('{')) return jsonCall(text) ?? (cut ? cutJsonCall(text) : undefined);
  if (text.startsWith(FUNCTION_OPEN)) return functionCall(text, types, cut);
  return keyedCall(text, types, cut);
}

/** `{"name": …, "arguments": …}`; numbers keep their text. */
function jsonCall(text: string): ToolCall | undefined {
  try {
    const value = parseExact(text);
    if (!isObject(value) || typeof value['name'] !== 'string') return undefined;
    const given = value['arguments'] ?? value['parameters'] ?? {};
    return { name: value['name'], arguments: typeof given === 'string' ? given : stringifyExact(given) };
  } catch {
    return undefined;
  }
}

function cutJsonCall(text: string): ToolCall | undefined {
  const match = /^\{"name":\s*("(?:[^"\\]|\\.){1,256}"),\s*"arguments":\s*(.*)$/s.exec(text);
  if (match?.[1] === undefined) return undefined;
  try {
    const name: unknown = JSON.parse(match[1]);
    return typeof name === 'string' ? { name, arguments: match[2] ?? '' } : undefined;
  } catch {
    return undefined;
  }
}

/** `<function=name>` with `<parameter=key>` and a value on lines of its own, as often as there are. */
function functionCall(text: string, types: ToolTypes, cut: boolean): ToolCall | undefined {
  const nameEnd = text.indexOf('>');
  if (nameEnd < 0) return undefined;
  const name = text.slice(FUNCTION_OPEN.length, nameEnd).trim();
  if (!NAME.test(name)) return undefined;
  const values: (readonly [string, string])[] = [];
  let at = nameEnd + 1;
  for (;;) {
    const open = text.indexOf(PARAMETER_OPEN, at);
    const keyEnd = open < 0 ? -1 : text.indexOf('>', open);
    if (keyEnd < 0) break;
    const close = valueEnd(text, keyEnd + 1);
    if (close === undefined) return cut ? call(name, values, types, true) : undefined;
    const value = text
      .slice(keyEnd + 1, close)
      .replace(/^\r?\n/, '')
      .replace(/\r?\n$/, '');
    values.push([text.slice(open + PARAMETER_OPEN.length, keyEnd).trim(), value]);
    at = close + PARAMETER_CLOSE.length;
  }
  if (!text.includes(FUNCTION_CLOSE, at)) return cut ? call(name, values, types, true) : undefined;
  return call(name, values, types, false);
}

/** A value may hold the closing mark itself, as code about such calls does: the one that counts is followed by another mark. */
function valueEnd(text: string, from: number): number | undefined {
  let first: number | undefined;
  for (let at = text.indexOf(PARAMETER_CLOSE, from); at >= 0; at = text.indexOf(PARAMETER_CLOSE, at + 1)) {
    first ??= at;
    const rest = text.slice(at + PARAMETER_CLOSE.length, at + PARAMETER_CLOSE.length + 64).trimStart();
    if (rest.startsWith(PARAMETER_OPEN) || rest.startsWith(FUNCTION_CLOSE)) return at;
  }
  return first;
}

/** The name, then pairs of `<arg_key>` and `<arg_value>`. */
function keyedCall(text: string, types: ToolTypes, cut: boolean): ToolCall | undefined {
  const first = text.indexOf(KEY_OPEN);
  const name = (first < 0 ? text : text.slice(0, first)).trim();
  // A name alone is a call without arguments; so it must be one that is known.
  if (!NAME.test(name) || (first < 0 && (cut || !types.has(name)))) return undefined;
  const values: (readonly [string, string])[] = [];
  let at = first < 0 ? text.length : first;
  while (text.startsWith(KEY_OPEN, at)) {
    const keyEnd = text.indexOf(KEY_CLOSE, at);
    const open = keyEnd < 0 ? -1 : text.indexOf(VALUE_OPEN, keyEnd);
    const close = open < 0 ? -1 : text.indexOf(VALUE_CLOSE, open);
    if (close < 0) return cut ? call(name, values, types, true) : undefined;
    values.push([text.slice(at + KEY_OPEN.length, keyEnd).trim(), text.slice(open + VALUE_OPEN.length, close)]);
    at = close + VALUE_CLOSE.length;
    while (/\s/.test(text[at] ?? '')) at += 1;
  }
  if (at < text.length) return cut ? call(name, values, types, true) : undefined;
  return call(name, values, types, cut);
}

function call(name: string, values: readonly (readonly [string, string])[], types: ToolTypes, cut: boolean): ToolCall {
  const taken = types.get(name);
  const members = new Map(values.map(([key, text]) => [key, stringifyExact(typedValue(text, taken?.get(key)))]));
  const json = `{${[...members].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
  return { name, arguments: cut ? json.slice(0, -1) : json };
}

const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['True', true],
  ['False', false],
  ['None', null],
]);

/** Text stays text where text is taken, also where it looks like a number; what should be JSON and is not stays text too. */
function typedValue(text: string, types: ReadonlySet<string> | undefined): unknown {
  if (types === undefined) return text;
  const trimmed = text.trim();
  if (types.has('string')) return trimmed === 'null' && types.has('null') ? null : text;
  const word = WORDS.get(trimmed);
  if (word !== undefined) return word;
  try {
    return parseExact(trimmed);
  } catch {
    return text;
  }
}

const DEPTH_MAX = 8;

/** What the schemas of these functions say of their parameters. */
export function toolTypes(tools: readonly { readonly name: string; readonly parameters: unknown }[]): ToolTypes {
  return new Map(
    tools.map(({ name, parameters }) => {
      const properties = isObject(parameters) && isObject(parameters['properties']) ? parameters['properties'] : {};
      const types = Object.entries(properties).map(([key, schema]) => {
        const found = new Set<string>();
        collectTypes(schema, parameters, found, DEPTH_MAX);
        return [key, found] as const;
      });
      return [name, new Map(types.filter(([, found]) => found.size > 0))];
    }),
  );
}

function collectTypes(schema: unknown, root: unknown, found: Set<string>, depth: number): void {
  if (!isObject(schema) || depth === 0) return;
  const { type, enum: values, const: constant, $ref: pointer } = schema;
  for (const each of Array.isArray(type) ? type : [type]) if (typeof each === 'string') found.add(each);
  for (const each of [...(Array.isArray(values) ? values : []), ...(constant === undefined ? [] : [constant])])
    found.add(each === null ? 'null' : typeof each);
  for (const branches of [schema['anyOf'], schema['oneOf'], schema['allOf']])
    if (Array.isArray(branches))
      for (const branch of branches.slice(0, 64)) collectTypes(branch, root, found, depth - 1);
  if (typeof pointer !== 'string' || !pointer.startsWith('#/')) return;
  let target: unknown = root;
  for (const step of pointer.split('/').slice(1, 10))
    target = isObject(target) && Object.hasOwn(target, step) ? target[step] : undefined;
  collectTypes(target, root, found, depth - 1);
}
