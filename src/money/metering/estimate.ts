/** Counts the likely tokens of a text that comes in pieces; keeps three numbers, never the text. */
export interface TokenEstimate {
  add(text: string): void;
  /** Rounded up; 0 for no text. */
  tokens(): number;
}

/** Averages of common byte-level BPE vocabularies of 100 k to 200 k entries: about four Latin letters, or 1.5 Han characters, a token. */
const LATIN_PER_TOKEN = 4;
const WIDE_PER_TOKEN = 1.5;
/** First code unit of the CJK blocks (U+2E80, radicals); what lies above is written without spaces and split finely. */
const WIDE_FROM = 0x2e80;

/**
 * A deterministic estimate for answers whose upstream reports no usage. It says the same for any splitting of a text. What it
 * says is always marked as estimated.
 */
export function createTokenEstimate(): TokenEstimate {
  let narrow = 0;
  let wide = 0;
  return {
    add(text) {
      for (let index = 0; index < text.length; index++) {
        if (text.charCodeAt(index) >= WIDE_FROM) wide++;
        else narrow++;
      }
    },
    tokens: () => Math.ceil(narrow / LATIN_PER_TOKEN + wide / WIDE_PER_TOKEN),
  };
}

export function estimateTokens(text: string): number {
  const estimate = createTokenEstimate();
  estimate.add(text);
  return estimate.tokens();
}
