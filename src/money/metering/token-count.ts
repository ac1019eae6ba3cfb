import type { Calibration } from './calibration.ts';

/** Averages of common byte-level BPE vocabularies of 100 k to 200 k entries: about four Latin letters, or 1.5 Han characters, a token. */
const LATIN_PER_TOKEN = 4;
const WIDE_PER_TOKEN = 1.5;
/** Rules, indents and the like: beyond the first few, so many of one character are one token. */
const REPEATED_PER_TOKEN = 16;
const RUN_MIN = 4;
/** First code unit of the CJK blocks (U+2E80, radicals); what lies above is written without spaces and split finely. */
const WIDE_FROM = 0x2e80;

/**
 * Counts the tokens of an answer that comes in pieces; keeps a few numbers, never the text. What it says decides where a stream is
 * cut and, where nobody reported, what is charged: one count for both. The same for any splitting of a text but in one thing: a
 * piece of a stream is at least a token, since vendors send one or more at a time.
 */
export class TokenCount {
  private narrow = 0;
  private wide = 0;
  private repeated = 0;
  private last = -1;
  private run = 0;
  private pieces = 0;

  /** A piece of a stream. */
  addPiece(text: string): void {
    if (text === '') return;
    this.pieces += 1;
    this.addText(text);
  }

  /** Text whose pieces are not known. */
  addText(text: string): void {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code >= WIDE_FROM) this.wide++;
      else if (code !== this.last) {
        this.run = 1;
        this.narrow++;
      } else if (++this.run > RUN_MIN) this.repeated++;
      else this.narrow++;
      this.last = code;
    }
  }

  /** By its letters alone, before any calibration. */
  byText(): number {
    return this.narrow / LATIN_PER_TOKEN + this.wide / WIDE_PER_TOKEN + this.repeated / REPEATED_PER_TOKEN;
  }

  byPieces(): number {
    return this.pieces;
  }

  /**
   * The likely count, rounded up; 0 for nothing. By that of the two ways which is the surer, and not below what the other is sure of:
   * an event may hold a whole answer, and an answer be made of digits.
   */
  tokens({ perText, perPiece, textError, pieceError, isTrusted }: Calibration): number {
    const byText = this.byText() * perText;
    const byPieces = this.pieces * perPiece;
    if (!isTrusted) return Math.ceil(Math.max(byText, byPieces));
    return Math.ceil(
      pieceError < textError
        ? Math.max(byPieces, byText * (1 - textError))
        : Math.max(byText, byPieces * (1 - pieceError)),
    );
  }

  /** What the true count is hardly below. */
  tokensAtLeast({ perText, perPiece, textError, pieceError }: Calibration): number {
    return Math.floor(Math.max(this.byText() * perText * (1 - textError), this.pieces * perPiece * (1 - pieceError)));
  }

  copyFrom(other: TokenCount): void {
    this.narrow = other.narrow;
    this.wide = other.wide;
    this.repeated = other.repeated;
    this.last = other.last;
    this.run = other.run;
    this.pieces = other.pieces;
  }

  clear(): void {
    this.narrow = 0;
    this.wide = 0;
    this.repeated = 0;
    this.last = -1;
    this.run = 0;
    this.pieces = 0;
  }
}
