/** Code points, both ends included. */
export type CodeRange = readonly [from: number, to: number];

/** What a pattern of the safe subset is made of. */
export type PatternNode =
  | { readonly type: 'one'; readonly ranges: readonly CodeRange[] }
  | { readonly type: 'sequence'; readonly items: readonly PatternNode[] }
  | { readonly type: 'choice'; readonly items: readonly PatternNode[] }
  | { readonly type: 'repeat'; readonly item: PatternNode; readonly least: number; readonly most: number | undefined };

/** One of a pattern's alternatives, with the ends that it is held to. */
export interface Branch {
  readonly start: boolean;
  readonly end: boolean;
  readonly node: PatternNode;
}

const LENGTH_MAX = 2_048;
const DEPTH_MAX = 20;
const COUNT_MAX = 100_000;
const LAST = 0x10ffff;
const DIGIT: readonly CodeRange[] = [[48, 57]];
const WORD: readonly CodeRange[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACE: readonly CodeRange[] = [
  [9, 10],
  [13, 13],
  [32, 32],
];
const CLASSES: ReadonlyMap<string, readonly CodeRange[]> = new Map([
  ['d', DIGIT],
  ['D', complement(DIGIT)],
  ['w', WORD],
  ['W', complement(WORD)],
  ['s', SPACE],
  ['S', complement(SPACE)],
]);
const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['f', 12],
  ['v', 11],
  ['0', 0],
]);

/** Without control characters: that a text has none is a promise one may always add. */
export function complement(ranges: readonly CodeRange[]): readonly CodeRange[] {
  const out: CodeRange[] = [];
  let next = 32;
  const skipped: CodeRange[] = [...ranges, [0xd800, 0xdfff]];
  for (const [from, to] of skipped.toSorted((a, b) => a[0] - b[0])) {
    if (from > next) out.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= LAST) out.push([next, LAST]);
  return out;
}

/** Thrown at what is outside of the subset; caught where the schema is read. */
export class UnsafePattern extends Error {}

/**
 * Reads a regular expression of ECMAScript that a grammar can keep: classes, groups, alternatives and counts. What looks
 * around, refers back or asks for word boundaries is not regular or not local, and is refused.
 * @throws UnsafePattern
 */
export function parsePattern(source: string): readonly Branch[] {
  if (source.length > LENGTH_MAX) throw new UnsafePattern('long');
  return new Reader([...source]).branches();
}

class Reader {
  private readonly text: readonly string[];
  private at = 0;

  constructor(text: readonly string[]) {
    this.text = text;
  }

  /** The alternatives at the top, the only ones that may have anchors. */
  branches(): readonly Branch[] {
    const branches: Branch[] = [];
    do {
      const start = this.take('^');
      const node = this.sequence(0);
      const end = this.take('$');
      branches.push({ start, end, node });
    } while (this.take('|'));
    if (this.at < this.text.length) throw new UnsafePattern('rest');
    return branches;
  }

  private take(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at += 1;
    return true;
  }

  private choice(depth: number): PatternNode {
    const items = [this.sequence(depth)];
    while (this.take('|')) items.push(this.sequence(depth));
    return items.length === 1 && items[0] ? items[0] : { type: 'choice', items };
  }

  private sequence(depth: number): PatternNode {
    if (depth > DEPTH_MAX) throw new UnsafePattern('deep');
    const items: PatternNode[] = [];
    for (;;) {
      const char = this.text[this.at];
      if (char === undefined || char === '|' || char === ')' || char === '$') break;
      items.push(this.counted(this.atom(depth)));
    }
    return items.length === 1 && items[0] ? items[0] : { type: 'sequence', items };
  }

  private counted(item: PatternNode): PatternNode {
    const counts = this.counts();
    if (counts === undefined) return item;
    // Lazy or not makes no difference to which texts match.
    this.take('?');
    if (this.counts() !== undefined) throw new UnsafePattern('count of a count');
    return { type: 'repeat', item, ...counts };
  }

  private counts(): { readonly least: number; readonly most: number | undefined } | undefined {
    if (this.take('*')) return { least: 0, most: undefined };
    if (this.take('+')) return { least: 1, most: undefined };
    if (this.take('?')) return { least: 0, most: 1 };
    if (this.text[this.at] !== '{') return undefined;
    const match = /^\{(\d{1,6})(,(\d{0,6}))?\}/.exec(this.text.slice(this.at, this.at + 16).join(''));
    if (match?.[1] === undefined) throw new UnsafePattern('brace');
    this.at += match[0].length;
    const least = Number(match[1]);
    const most = match[2] === undefined ? least : match[3] === '' ? undefined : Number(match[3]);
    if (least > COUNT_MAX || (most ?? 0) > COUNT_MAX || (most ?? least) < least) throw new UnsafePattern('count');
    return { least, most };
  }

  private atom(depth: number): PatternNode {
    const char = this.text[this.at] ?? '';
    this.at += 1;
    if (char === '(') return this.group(depth);
    if (char === '[') return { type: 'one', ranges: this.set() };
    if (char === '.') return { type: 'one', ranges: complement([[0x2028, 0x2029]]) };
    if (char === '\\') return { type: 'one', ranges: this.escape() };
    if ('^*+?{}])'.includes(char)) throw new UnsafePattern(char);
    return { type: 'one', ranges: single(char) };
  }

  private group(depth: number): PatternNode {
    if (this.take('?')) {
      if (this.take('<')) {
        const close = this.text.indexOf('>', this.at);
        if (close < 0 || !/^[A-Za-z_]\w*$/.test(this.text.slice(this.at, close).join('')))
          throw new UnsafePattern('(?<');
        this.at = close + 1;
      } else if (!this.take(':')) throw new UnsafePattern('(?');
    }
    const node = this.choice(depth + 1);
    if (!this.take(')')) throw new UnsafePattern('open group');
    return node;
  }

  private escape(): readonly CodeRange[] {
    const char = this.text[this.at] ?? '';
    this.at += 1;
    const known = CLASSES.get(char);
    if (known !== undefined) return known;
    const control = CONTROLS.get(char);
    if (control !== undefined) return [[control, control]];
    if (char === 'x') return this.hex(2);
    if (char === 'u') return this.take('{') ? this.braced() : this.hex(4);
    // Letters and digits have other meanings, all others stand for themselves.
    if (char === '' || /[A-Za-z0-9]/.test(char)) throw new UnsafePattern(`\\${char}`);
    return single(char);
  }

  private hex(length: number): readonly CodeRange[] {
    const digits = this.text.slice(this.at, this.at + length).join('');
    if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) throw new UnsafePattern('hex');
    this.at += length;
    const code = Number.parseInt(digits, 16);
    return [[code, code]];
  }

  private braced(): readonly CodeRange[] {
    const close = this.text.indexOf('}', this.at);
    const length = close - this.at;
    if (close < 0 || length < 1 || length > 6) throw new UnsafePattern('hex');
    const code = this.hex(length);
    this.at += 1;
    if ((code[0]?.[0] ?? 0) > LAST) throw new UnsafePattern('hex');
    return code;
  }

  private set(): readonly CodeRange[] {
    const negated = this.take('^');
    const ranges: CodeRange[] = [];
    while (!this.take(']')) {
      const from = this.member();
      const next = this.text[this.at + 1];
      if (this.text[this.at] === '-' && next !== undefined && next !== ']') {
        this.at += 1;
        const to = this.member();
        const [low, high] = [from[0], to[0]];
        if (
          from.length > 1 ||
          to.length > 1 ||
          !low ||
          !high ||
          low[0] !== low[1] ||
          high[0] !== high[1] ||
          high[0] < low[0]
        )
          throw new UnsafePattern('range');
        ranges.push([low[0], high[0]]);
      } else ranges.push(...from);
    }
    if (negated) return complement(ranges);
    if (ranges.length === 0) throw new UnsafePattern('empty class');
    return ranges;
  }

  private member(): readonly CodeRange[] {
    const char = this.text[this.at];
    if (char === undefined) throw new UnsafePattern('open class');
    this.at += 1;
    if (char !== '\\') return single(char);
    if (this.text[this.at] === 'b') throw new UnsafePattern('\\b');
    return this.escape();
  }
}

function single(char: string): readonly CodeRange[] {
  const code = char.codePointAt(0) ?? 0;
  return [[code, code]];
}
