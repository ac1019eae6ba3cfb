import { type GbnfRules, literal, oneOf, oneOfTexts } from './gbnf.ts';

/** One way to write a value: a kind of JSON value and the expression for it. */
export interface Alternative {
  readonly type: 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object' | 'any';
  readonly expression: string;
  /** These JSON texts and no other. */
  readonly literals?: readonly string[];
  /** What stands inside of it. */
  readonly children?: readonly Value[];
  /** Of an object, in the order in which they are written; absent where its names are open. */
  readonly members?: readonly Member[];
}

export interface Member {
  readonly name: string;
  readonly required: boolean;
  /** JSON texts that the value is one of, where it is so bound. */
  readonly literals?: readonly string[] | undefined;
}

/** A schema, read: what its values look like. Complete only when the schema was read to its end, since it may hold itself. */
export interface Value {
  readonly expression: string;
  /** Undefined as long as the schema is being read. */
  alternatives: readonly Alternative[] | undefined;
  /** Finds them when all was read; gone once it was asked. */
  settle?: (() => readonly Alternative[]) | undefined;
}

export const ANY: Alternative = { type: 'any', expression: 'value' };

/** Alternatives of several branches as those of one value, each once. */
export function merged(alternatives: readonly Alternative[]): readonly Alternative[] {
  if (alternatives.some(({ type }) => type === 'any')) return [ANY];
  return [...new Map(alternatives.map(each => [each.expression, each])).values()];
}

export function complete(rules: GbnfRules, alternatives: readonly Alternative[]): Value {
  return { expression: named(rules, unionExpression(alternatives)), alternatives };
}

/** Literals stand together, by their common beginnings. */
export function unionExpression(alternatives: readonly Alternative[]): string {
  const texts = alternatives.flatMap(({ literals }) => literals ?? []);
  const others = alternatives.filter(({ literals }) => literals === undefined).map(({ expression }) => expression);
  return oneOf([...(texts.length === 0 ? [] : [oneOfTexts(texts)]), ...others]);
}

export function literals(type: Alternative['type'], texts: readonly string[]): Alternative {
  return { type, literals: texts, expression: oneOf(texts.map(literal)) };
}

/** A rule of its own where it is more than a word, so that texts stay linear. */
export function named(rules: GbnfRules, expression: string): string {
  return /^[a-z][a-z0-9-]*$/i.test(expression) ? expression : rules.add('s', expression);
}

/** True where no value can be of both. */
export function areDisjoint(a: Alternative, b: Alternative): boolean {
  if (a.type === 'any' || b.type === 'any') return false;
  const isNumber = ({ type }: Alternative) => type === 'integer' || type === 'number';
  if (a.literals && b.literals) return !meet(a.literals, b.literals);
  if (a.type !== b.type && !(isNumber(a) && isNumber(b))) return true;
  if (!a.members || !b.members) return false;
  const bound = new Map(
    b.members.flatMap(({ name, required, literals: texts }) => (required && texts ? [[name, texts]] : [])),
  );
  return a.members.some(({ name, required, literals: texts }) => {
    const others = bound.get(name);
    return required && texts !== undefined && others !== undefined && !meet(texts, others);
  });
}

function meet(a: readonly string[], b: readonly string[]): boolean {
  const all = new Set(a);
  return b.some(text => all.has(text));
}

/** More ways to read one beginning than this, and each token costs as many passes over the vocabulary. */
const OPEN_MAX = 64;
/** Branches of one union that begin with a bracket; each is compared with each. */
const CONTAINERS_MAX = 256;

/**
 * Whether what was written can always be told to be one of at most {@link OPEN_MAX} things. llama.cpp keeps every way to
 * read a beginning; where a list may be read in eight ways and holds itself, these are 8, 64, 512 … with each bracket, and
 * neither time nor memory has an end.
 *
 * An upper bound, by repetition: ways multiply from a value to what it holds unless its alternatives differ before they hold
 * anything: by their first letter, by a constant, or by the name of a member.
 */
export function isTractable(values: readonly Value[]): boolean {
  const ways = new Map<Value, number>(values.map(value => [value, 1]));
  const unions = [...ways.keys()];
  if (unions.some(({ alternatives = [] }) => alternatives.filter(isContainer).length > CONTAINERS_MAX)) return false;
  const groups = new Map(unions.map(value => [value, rivals(value)]));
  for (let changed = true; changed; ) {
    changed = false;
    for (const value of unions) {
      const most = Math.max(1, ...(groups.get(value) ?? []).map(group => sum(group.map(each => inside(each, ways)))));
      if (most > OPEN_MAX) return false;
      if (most === ways.get(value)) continue;
      ways.set(value, most);
      changed = true;
    }
  }
  return true;
}

function isContainer({ type, literals: texts }: Alternative): boolean {
  return !texts && (type === 'array' || type === 'object');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function inside({ children = [] }: Alternative, ways: ReadonlyMap<Value, number>): number {
  return Math.max(1, ...children.map(child => ways.get(child) ?? 1));
}

/** For each container: itself and those that a reader may still take it for when what it holds begins. */
function rivals({ alternatives = [] }: Value): readonly (readonly Alternative[])[] {
  const containers = alternatives.filter(isContainer);
  return containers.map(one => containers.filter(other => other === one || !differEarly(one, other)));
}

/** Members are written in their order: the first that is not the same in both tells. */
function differEarly(a: Alternative, b: Alternative): boolean {
  if (a.type !== b.type) return true;
  if (!a.members || !b.members) return false;
  for (let at = 0; ; at += 1) {
    const [one, other] = [a.members[at], b.members[at]];
    const isBound = one?.required && other?.required && one.name === other.name && one.literals && other.literals;
    if (!isBound || one?.literals === undefined || other?.literals === undefined)
      return !meet(firstNames(a.members.slice(at)), firstNames(b.members.slice(at)));
    if (!meet(one.literals, other.literals)) return true;
    if (one.literals.length > 1 || other.literals.length > 1) return false;
  }
}

/** Names that may come next: up to the first that must. */
function firstNames(members: readonly Member[]): readonly string[] {
  const end = members.findIndex(({ required }) => required);
  return members.slice(0, end < 0 ? members.length : end + 1).map(({ name }) => name);
}
