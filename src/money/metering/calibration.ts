/** How a count of text and of pieces becomes one of tokens, and how far it may be off: shares of what it says. */
export interface Calibration {
  /** Tokens for each that the letters say, and for each piece of a stream. */
  readonly perText: number;
  readonly perPiece: number;
  readonly textError: number;
  readonly pieceError: number;
  /** Whether it was learnt from what the vendor reported. */
  readonly isTrusted: boolean;
}

/**
 * Before a vendor has reported anything. Letters are off by half at most, in the languages and notations that were looked at; a
 * vendor that sends single letters says four pieces a token.
 */
export const UNCALIBRATED: Calibration = {
  perText: 1,
  perPiece: 1,
  textError: 0.5,
  pieceError: 0.75,
  isTrusted: false,
};

/** What was learnt of one deployment, as it stands in the shared counters: whole thousandths, 0 where nothing was. */
export interface Learnt {
  /** Answers that were compared, up to {@link SAMPLES_MAX}. */
  readonly samples: number;
  readonly perText: number;
  readonly textSpread: number;
  /** 0 also where the answers came whole. */
  readonly perPiece: number;
  readonly pieceSpread: number;
}

export const NOTHING_LEARNT: Learnt = { samples: 0, perText: 0, textSpread: 0, perPiece: 0, pieceSpread: 0 };

/** A finished answer whose vendor reported: `reported` tokens of what was seen, against what the letters and the pieces say. */
export interface Sample {
  readonly reported: number;
  readonly byText: number;
  readonly byPieces: number;
}

/** Shorter answers say little: an end mark and a role weigh as much as their words. */
const TOKENS_MIN = 64;
/** Ratios beyond are no matter of tokenizers: thinking that was not shown, or a report that is wrong. */
const RATIO_MAX = 4;
const SAMPLES_TO_TRUST = 4;
const SAMPLES_MAX = 1_000;
/** Share of the newest answer in what is known. */
const NEWEST = 1 / 8;
/** What is left of doubt however well it fits, and at most. */
const ERROR_MIN = 0.1;
const ERROR_MAX = 0.5;
/** The spread is a mean of deviations: hardly any answer is further off than three of them. */
const SPREADS = 3;
const THOUSAND = 1_000;

/** What is known after one more answer; the same where it says nothing. Deterministic: the same answers in the same order, the same result. */
export function learn(known: Learnt, { reported, byText, byPieces }: Sample): Learnt {
  if (reported < TOKENS_MIN || byText <= 0) return known;
  const perText = reported / byText;
  if (perText > RATIO_MAX || perText < 1 / RATIO_MAX) return known;
  const perPiece = byPieces === 0 ? 0 : reported / byPieces;
  const text = moved(known.perText, known.textSpread, perText);
  const piece =
    perPiece === 0 || perPiece > RATIO_MAX * RATIO_MAX
      ? { ratio: known.perPiece, spread: known.pieceSpread }
      : moved(known.perPiece, known.pieceSpread, perPiece);
  return {
    samples: Math.min(SAMPLES_MAX, known.samples + 1),
    perText: text.ratio,
    textSpread: text.spread,
    perPiece: piece.ratio,
    pieceSpread: piece.spread,
  };
}

function moved(ratio: number, spread: number, seen: number): { readonly ratio: number; readonly spread: number } {
  const now = seen * THOUSAND;
  if (ratio === 0) return { ratio: Math.max(1, Math.round(now)), spread: 0 };
  const deviation = (Math.abs(now - ratio) / ratio) * THOUSAND;
  return {
    ratio: Math.max(1, Math.round(ratio + (now - ratio) * NEWEST)),
    spread: Math.round(spread + (deviation - spread) * NEWEST),
  };
}

/** Once enough answers were compared. */
export function calibrationOf({ samples, perText, textSpread, perPiece, pieceSpread }: Learnt): Calibration {
  if (samples < SAMPLES_TO_TRUST || perText === 0) return UNCALIBRATED;
  return {
    perText: perText / THOUSAND,
    // Of streams nothing is known: a piece is no more than a hint. A piece of many tokens is seen by its letters: an engine that joined
    // them in one answer sends them one by one in the next, and a stream must not be cut for that.
    perPiece: perPiece === 0 ? 1 : Math.min(1, perPiece / THOUSAND),
    textError: errorOf(textSpread),
    pieceError: perPiece === 0 ? UNCALIBRATED.pieceError : errorOf(pieceSpread),
    isTrusted: true,
  };
}

function errorOf(spread: number): number {
  return Math.min(ERROR_MAX, Math.max(ERROR_MIN, (SPREADS * spread) / THOUSAND));
}
