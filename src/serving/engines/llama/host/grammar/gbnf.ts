import { stringifyExact } from '../requests/exact-json.ts';

/** Rules of one grammar in llama.cpp's GBNF (grammars/README.md of llama.cpp). Expressions are text in that notation. */
export interface GbnfRules {
  readonly bounds: JsonBounds | undefined;
  /** The rule with this expression, which is added under a free name that starts with `hint` where there is none: alternatives that are the same must not be open side by side. */
  add(hint: string, expression: string): string;
  /** Takes a name before its expression is known: a rule may refer to itself. */
  reserve(hint: string): string;
  define(name: string, expression: string): void;
  /** The grammar that begins at `root`, with the rules of JSON values that it uses. @throws RangeError when too large */
  text(root: string): string;
}

/** Ends texts and lists that a schema leaves open, for a model that would not end them. */
export interface JsonBounds {
  readonly charactersMax: number;
  /** Of a list, and of an object whose properties are not named. */
  readonly itemsMax: number;
}

/** Whitespace a model may put between tokens of JSON. Bounded, or a confused model would fill its limit with spaces. */
export const WS = 'ws';

/**
 * Any value, object and so on. Numbers go out as the model writes them and are bounded by 64 digits, which no id or amount
 * has: fewer would cut one short in silence, and none would let a confused model write digits for ever.
 */
const JSON_RULES: ReadonlyMap<string, string> = new Map([
  [WS, '| " " | "\\n" [ \\t]{0,20}'],
  ['value', 'object | array | string | number | boolean | null'],
  ['object', '"{" ws (member ("," ws member)*)? ws "}"'],
  ['member', 'string ":" ws value'],
  ['array', '"[" ws (value ("," ws value)*)? ws "]"'],
  ['string', '"\\"" char* "\\""'],
  ['char', '[^"\\\\\\x7F\\x00-\\x1F] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})'],
  ['number', 'integer fraction? ([eE] [-+]? [0-9]{1,3})?'],
  ['integer', '"-"? ("0" | [1-9] [0-9]{0,63})'],
  ['fraction', '"." [0-9]{1,64}'],
  ['boolean', '"true" | "false"'],
  ['null', '"null"'],
]);

/** The same values, but no longer than the bounds, and one level deep. */
function boundedRules({ charactersMax, itemsMax }: JsonBounds): ReadonlyMap<string, string> {
  const more = `{0,${itemsMax - 1}}`;
  return new Map([
    [WS, '" "?'],
    ['scalar', 'string | number | boolean | null'],
    ['value', 'object | array | scalar'],
    ['object', `"{" ws (member ("," ws member)${more})? ws "}"`],
    ['member', 'string ":" ws scalar'],
    ['array', `"[" ws (scalar ("," ws scalar)${more})? ws "]"`],
    ['string', `"\\"" char{0,${charactersMax}} "\\""`],
  ]);
}

const RULES_MAX = 4_096;
const TEXT_LENGTH_MAX = 262_144;

export function createGbnfRules(bounds?: JsonBounds): GbnfRules {
  const rules = new Map<string, string>([...JSON_RULES, ...(bounds === undefined ? [] : boundedRules(bounds))]);
  const named = new Map<string, string>();
  let next = 0;
  const reserve = (hint: string) => {
    if (rules.size >= RULES_MAX) throw new RangeError(`more than ${RULES_MAX} rules`);
    next += 1;
    const name = `${hint.replace(/[^a-zA-Z0-9]+/g, '-').slice(0, 24)}-${next}`;
    rules.set(name, '');
    return name;
  };
  let length = 0;
  const write = (name: string, expression: string) => {
    length += name.length + expression.length;
    if (length > TEXT_LENGTH_MAX) throw new RangeError(`a grammar of ${length} characters`);
    rules.set(name, expression);
  };
  return {
    bounds,
    reserve,
    define: write,
    add(hint, expression) {
      const known = named.get(expression);
      if (known !== undefined) return known;
      const name = reserve(hint);
      write(name, expression);
      named.set(expression, name);
      return name;
    },
    text(root) {
      let text = `root ::= ${root}\n`;
      for (const [name, expression] of rules) text += `${name} ::= ${expression}\n`;
      if (text.length > TEXT_LENGTH_MAX) throw new RangeError(`a grammar of ${text.length} characters`);
      return text;
    },
  };
}

/** These very characters. */
export function literal(text: string): string {
  const escaped = text.replace(/[\\"\p{Cc}]/gu, char => {
    if (char === '\\' || char === '"') return `\\${char}`;
    const code = char.codePointAt(0) ?? 0;
    return `\\x${code.toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/** A JSON value as its compact text. */
export function jsonLiteral(value: unknown): string {
  return literal(stringifyExact(value));
}

export function oneOf(expressions: readonly string[]): string {
  const different = [...new Set(expressions)];
  return different.length === 1 ? (different[0] ?? '') : `(${different.join(' | ')})`;
}

/**
 * One of these texts, by their common beginnings: a list of a thousand would keep a thousand alternatives open at its first
 * letter, and each costs a pass over the whole vocabulary.
 */
export function oneOfTexts(texts: readonly string[]): string {
  const different = [...new Set(texts)];
  const length = different.reduce((sum, text) => sum + text.length, 0);
  if (length > TEXT_LENGTH_MAX) throw new RangeError(`texts of ${length} characters`);
  return tree(different.map(text => [...text]));
}

function tree(texts: readonly (readonly string[])[]): string {
  const byFirst = Map.groupBy(texts, text => text[0]);
  const branches = [...byFirst].map(([first, group]) => {
    if (first === undefined) return '""';
    const shared = commonLength(group);
    const start = literal((group[0] ?? []).slice(0, shared).join(''));
    const rests = group.map(text => text.slice(shared));
    return rests.every(rest => rest.length === 0) ? start : `${start} ${tree(rests)}`;
  });
  return oneOf(branches);
}

function commonLength(texts: readonly (readonly string[])[]): number {
  const first = texts[0] ?? [];
  let length = 0;
  while (length < first.length && texts.every(text => text[length] === first[length])) length += 1;
  return length;
}
