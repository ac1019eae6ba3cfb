/** Longest text of an upstream that is passed on. */
const TEXT_LENGTH_MAX = 500;
/** What is looked at: scrubbing must not become slow on a body of megabytes. */
const INPUT_LENGTH_MAX = 4000;

// Bounded repetitions and no nesting: linear on any text. Order matters: wide patterns before narrow ones.
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s"'<>）】」，。]{1,2000}/gi, '[url]'],
  [/\b(?:bearer|basic)\s{1,4}[^\s"',]{4,2000}/gi, '[key]'],
  [/\beyJ[A-Za-z0-9_-]{8,2000}(?:\.[A-Za-z0-9_-]{0,2000}){0,2}/g, '[key]'],
  [
    /\b(?:sk|pk|rk|ak|mr|gsk|xai|key|token|pplx|hf|nvapi|fw|bce-v3|tp|api|apikey|secret)[-_/][A-Za-z0-9_\-*./…]{6,2000}/gi,
    '[key]',
  ],
  [/\b(?:org|proj|acct|account|user|asst|file|workspace)[-_][A-Za-z0-9]{6,200}/gi, '[id]'],
  [/\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}/g, '[address]'],
  [/\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b/g, '[address]'],
  [
    /\b(?:[\w-]{1,63}\.){1,5}(?:com|cn|net|org|ai|io|dev|local|internal|svc|tech|cloud)\b(?::\d{1,5})?(?:\/[^\s"'<>）】」，。]{0,2000})?/gi,
    '[url]',
  ],
  [/\b[A-Za-z0-9*_-]{3,64}\*{3,}[A-Za-z0-9*_-]{0,64}/g, '[key]'],
  [/[A-Za-z0-9+/_=-]{32,2000}/g, '[key]'],
];

/** Fewer letters of a key, at the end of a text that was cut, say nothing about it. */
const KEY_PART_MIN = 6;

/** The text without the very key that was sent, which no pattern may know; nor with the part of it that a cut left at the end. */
export function withoutKey(text: string, key: string): string {
  const clean = text.replaceAll(key, '[key]');
  if (!clean.endsWith('…')) return clean;
  for (let length = Math.min(key.length, clean.length) - 1; length >= KEY_PART_MIN; length -= 1)
    if (clean.startsWith(key.slice(0, length), clean.length - 1 - length))
      return `${clean.slice(0, clean.length - 1 - length)}[key]…`;
  return clean;
}

/**
 * An upstream's words made fit for others' eyes: without addresses, keys, account ids and control characters, and short.
 * Request ids of the upstream go as well, since they look like keys.
 */
export function scrub(text: string): string {
  let clean = text
    .slice(0, INPUT_LENGTH_MAX)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
  for (const [pattern, mark] of SECRETS) clean = clean.replace(pattern, mark);
  clean = clean.trim();
  return clean.length > TEXT_LENGTH_MAX ? `${clean.slice(0, TEXT_LENGTH_MAX - 1).toWellFormed()}…` : clean;
}
