/** Turns tokens to text: the part of the model that this needs. */
export interface Detokenizer<Token> {
  detokenize(tokens: readonly Token[], specialTokens: boolean, lastTokens: readonly Token[]): string;
}

/** Tokens that may hold one character between them; more than that, and the bytes are no character at all. */
const PENDING_MAX = 16;
/** Tokens that precede, which some tokenizers need to place spaces. */
const LAST_MAX = 4;
const REPLACEMENT = '\uFFFD';

/**
 * Text of a growing list of tokens, never with half a character: bytes of an unfinished one wait for the token that
 * completes it. A detokenizer gives U+FFFD for them, so text is safe up to the U+FFFDs at its end.
 */
export class TokenText<Token> {
  private readonly model: Detokenizer<Token>;
  /** Control tokens that are to be seen all the same, such as thinking marks. */
  private readonly shown: ReadonlySet<Token>;
  private pending: Token[] = [];
  private last: Token[] = [];
  /** How much of the pending tokens' text was given out. */
  private given = 0;

  constructor(model: Detokenizer<Token>, shown: ReadonlySet<Token>) {
    this.model = model;
    this.shown = shown;
  }

  push(token: Token): string {
    this.pending.push(token);
    const text = this.text();
    let safe = text.length;
    while (safe > this.given && text[safe - 1] === REPLACEMENT) safe -= 1;
    const fresh = text.slice(this.given, safe);
    this.given = Math.max(this.given, safe);
    if (safe === text.length) this.settle();
    else if (this.pending.length >= PENDING_MAX) return fresh + this.end();
    return fresh;
  }

  /** What is still held, with U+FFFD for what never became a character. */
  end(): string {
    const rest = this.pending.length === 0 ? '' : this.text().slice(this.given);
    this.settle();
    return rest;
  }

  private text(): string {
    const special = this.pending.some(token => this.shown.has(token));
    return this.model.detokenize(this.pending, special, this.last);
  }

  private settle(): void {
    this.last = [...this.last, ...this.pending].slice(-LAST_MAX);
    this.pending = [];
    this.given = 0;
  }
}
