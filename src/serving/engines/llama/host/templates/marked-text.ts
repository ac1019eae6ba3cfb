/** How many characters at the end of `text` may be the beginning of `mark`. */
export function overlap(text: string, mark: string): number {
  const from = Math.max(0, text.length - mark.length + 1);
  for (let at = from; at < text.length; at += 1) if (mark.startsWith(text.slice(at))) return text.length - at;
  return 0;
}

/** Text that cannot be part of any of the marks, and what must wait. */
export function splitSafe(text: string, marks: readonly string[]): readonly [safe: string, held: string] {
  const held = marks.reduce((most, mark) => Math.max(most, overlap(text, mark)), 0);
  return [text.slice(0, text.length - held), text.slice(text.length - held)];
}

/** Ends a text before the first of several stop strings, never giving out the beginning of one. */
export class StopText {
  private readonly stops: readonly string[];
  private held = '';
  /** A stop string was met; nothing follows. */
  stopped = false;

  constructor(stops: readonly string[]) {
    this.stops = stops;
  }

  push(text: string): string {
    if (this.stopped || this.stops.length === 0) return this.stopped ? '' : text;
    const all = this.held + text;
    const first = this.stops.reduce((least, stop) => {
      const at = all.indexOf(stop);
      return at >= 0 && at < least ? at : least;
    }, Number.POSITIVE_INFINITY);
    if (first < all.length) {
      this.stopped = true;
      this.held = '';
      return all.slice(0, first);
    }
    const [safe, held] = splitSafe(all, this.stops);
    this.held = held;
    return safe;
  }

  end(): string {
    const rest = this.held;
    this.held = '';
    return rest;
  }
}

export const THINK_OPEN = '<think>';
export const THINK_CLOSE = '</think>';

export interface ThinkPiece {
  readonly reasoning: string;
  readonly content: string;
}

/**
 * Parts what a model thinks from what it answers. Thinking is between the marks, at the start only; white space around
 * the marks belongs to neither part.
 */
export class ThinkText {
  private state: 'start' | 'thinking' | 'gap' | 'answer';
  private held = '';

  /** @param open The prompt already ended inside the opening mark. */
  constructor(open: boolean) {
    this.state = open ? 'thinking' : 'start';
  }

  get thinking(): boolean {
    return this.state === 'thinking';
  }

  /** What came last is part of the answer, or may yet be. */
  get answering(): boolean {
    return this.state === 'answer' || this.state === 'start';
  }

  push(text: string): ThinkPiece {
    let reasoning = '';
    this.held += text;
    if (this.state === 'start') {
      const begin = this.held.trimStart();
      if (begin.startsWith(THINK_OPEN)) {
        this.held = begin.slice(THINK_OPEN.length);
        this.state = 'thinking';
      } else if (THINK_OPEN.startsWith(begin)) {
        return { reasoning, content: '' };
      } else {
        this.state = 'answer';
      }
    }
    if (this.state === 'thinking') {
      const close = this.held.indexOf(THINK_CLOSE);
      if (close < 0) return { reasoning: this.takeReasoning(), content: '' };
      reasoning = this.trimmedReasoning(this.held.slice(0, close)).trimEnd();
      this.held = this.held.slice(close + THINK_CLOSE.length);
      this.state = 'gap';
    }
    if (this.state === 'gap') {
      this.held = this.held.trimStart();
      if (this.held === '') return { reasoning, content: '' };
      this.state = 'answer';
    }
    const content = this.held;
    this.held = '';
    return { reasoning, content };
  }

  end(): ThinkPiece {
    const rest = this.held;
    this.held = '';
    if (this.state === 'thinking') return { reasoning: this.trimmedReasoning(rest).trimEnd(), content: '' };
    return { reasoning: '', content: this.state === 'start' ? rest : '' };
  }

  private reasoned = false;

  /** Gives out what is thinking for sure: neither the beginning of the closing mark nor the white space before it. */
  private takeReasoning(): string {
    const [safe, held] = splitSafe(this.held, [THINK_CLOSE]);
    const solid = safe.trimEnd();
    this.held = safe.slice(solid.length) + held;
    return this.trimmedReasoning(solid);
  }

  private trimmedReasoning(text: string): string {
    const kept = this.reasoned ? text : text.trimStart();
    if (kept !== '') this.reasoned = true;
    return kept;
  }
}
