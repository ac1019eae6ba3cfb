import { type GbnfRules, oneOf } from './gbnf.ts';
import { type Branch, type CodeRange, type PatternNode, parsePattern, UnsafePattern } from './pattern-syntax.ts';
import { repeated } from './repeat.ts';

/** States of the automaton that may be open at once; each costs a pass over the whole vocabulary with every token. */
const STATES_MAX = 1_024;

/** How long a text must be, in characters. */
export interface Lengths {
  readonly least: number;
  readonly most: number | undefined;
}

/**
 * The texts that match `source` and are so long, as an expression without the quotes around them. Characters stand for
 * themselves, so that what JSON would let one write as an escape is left out but for those that must be.
 * @returns undefined where the pattern is not of the safe subset, or where its texts may be of another length
 */
export function patternExpression(source: string, rules: GbnfRules, lengths: Lengths): string | undefined {
  try {
    const branches = parsePattern(source);
    if (branches.reduce((sum, { node }) => sum + states(node), 0) > STATES_MAX) return undefined;
    const parts = branches.map(branch => branchExpression(branch, rules, lengths));
    return parts.every(part => part !== undefined) ? oneOf(parts) : undefined;
  } catch (error) {
    if (error instanceof UnsafePattern) return undefined;
    throw error;
  }
}

/** Whether the pattern says what a text is from its start to its end. */
export function isAnchored(source: string): boolean {
  try {
    return parsePattern(source).every(({ start, end }) => start && end);
  } catch {
    return false;
  }
}

function branchExpression({ start, end, node }: Branch, rules: GbnfRules, lengths: Lengths): string | undefined {
  const whole = start && end ? withLengths(node, lengths) : node;
  const [least, most] = lengthOf(whole);
  const open = !start || !end;
  if (least < lengths.least || (lengths.most !== undefined && (open || most === undefined || most > lengths.most)))
    return undefined;
  return `${start ? '' : 'char* '}${expression(whole, rules)}${end ? '' : ' char*'}`;
}

/** Characters of one kind in any number take the bounds of the text for their own. */
function withLengths(node: PatternNode, { least, most }: Lengths): PatternNode {
  if (node.type !== 'repeat' || node.item.type !== 'one') return node;
  const end = node.most === undefined || most === undefined ? (node.most ?? most) : Math.min(node.most, most);
  return { ...node, least: Math.max(node.least, least), most: end };
}

function lengthOf(node: PatternNode): readonly [least: number, most: number | undefined] {
  switch (node.type) {
    case 'one':
      return [1, 1];
    case 'sequence':
    case 'choice': {
      const all = node.items.map(lengthOf);
      const mosts = all.map(([, most]) => most ?? Number.POSITIVE_INFINITY);
      const sum = node.type === 'sequence';
      const most = sum ? mosts.reduce((a, b) => a + b, 0) : Math.max(...mosts);
      const least = sum ? all.reduce((a, [b]) => a + b, 0) : Math.min(...all.map(([each]) => each));
      return [least, Number.isFinite(most) ? most : undefined];
    }
    case 'repeat': {
      const [least, most] = lengthOf(node.item);
      const end = most === undefined || node.most === undefined ? undefined : most * node.most;
      return [least * node.least, end];
    }
    default:
      return node satisfies never;
  }
}

/** States of the automaton; characters of one kind in a row are told by how many there were, one count at a time. */
function states(node: PatternNode): number {
  switch (node.type) {
    case 'one':
      return 1;
    case 'sequence':
    case 'choice':
      return node.items.reduce((sum, item) => sum + states(item), 1);
    case 'repeat': {
      if (node.item.type === 'one') return 2;
      return states(node.item) * Math.max(1, node.most ?? node.least);
    }
    default:
      return node satisfies never;
  }
}

/** @throws UnsafePattern where something that may be empty is repeated: no count of it would mean anything */
function expression(node: PatternNode, rules: GbnfRules): string {
  switch (node.type) {
    case 'one':
      return oneCharacter(node.ranges);
    case 'sequence':
      return node.items.length === 0 ? '""' : node.items.map(item => expression(item, rules)).join(' ');
    case 'choice':
      return oneOf(node.items.map(item => expression(item, rules)));
    case 'repeat': {
      const many = node.most === undefined || node.most > 1;
      if (many && lengthOf(node.item)[0] === 0) throw new UnsafePattern('empty');
      return repeated(rules, rules.add('p', expression(node.item, rules)), node.least, node.most);
    }
    default:
      return node satisfies never;
  }
}

const ESCAPED: ReadonlyMap<number, string> = new Map([
  [34, '"\\\\\\""'],
  [92, '"\\\\\\\\"'],
  [10, '"\\\\n"'],
  [13, '"\\\\r"'],
  [9, '"\\\\t"'],
]);

/** A character of these ranges as JSON has it inside of a string. */
function oneCharacter(ranges: readonly CodeRange[]): string {
  const parts: string[] = [];
  const plain: CodeRange[] = [];
  for (const [from, to] of ranges) {
    for (const [code, text] of ESCAPED) if (code >= from && code <= to) parts.push(text);
    plain.push(...withoutEscaped(from, to));
  }
  if (plain.length > 0)
    parts.unshift(`[${plain.map(([from, to]) => (from === to ? code(from) : `${code(from)}-${code(to)}`)).join('')}]`);
  if (parts.length === 0) throw new UnsafePattern('control characters');
  return oneOf(parts);
}

function withoutEscaped(from: number, to: number): readonly CodeRange[] {
  const out: CodeRange[] = [];
  let next = Math.max(from, 32);
  for (const skipped of [34, 92, 127]) {
    if (skipped < next || skipped > to) continue;
    if (skipped > next) out.push([next, skipped - 1]);
    next = skipped + 1;
  }
  if (next <= to) out.push([next, to]);
  return out;
}

/** As GBNF has it in a class, where letters and digits alone mean nothing else. */
function code(point: number): string {
  const char = String.fromCodePoint(point);
  if (/^[A-Za-z0-9]$/.test(char)) return char;
  const hex = point.toString(16);
  if (point < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return point < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
