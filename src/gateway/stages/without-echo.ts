import type { JsonObject, JsonValue } from '../../models/dialects/index.ts';

/** Longest run of the request's words that may stand in what an upstream says of it: names and numbers are shorter. */
const RUN = 24;
const STEP = RUN / 3;
/** Of a request beyond this nothing is looked for: of the upstream's words then only the beginning stays, which is ours. */
const TEXT_LENGTH_MAX = 262_144;
const BEGINNING = 80;
/** Shorter texts than this are words that anyone may say. */
const SHORT = 4;
const MARK = '[…]';
/** Where people's words are; a model's or a tool's name in an error is what the operator wants to read. */
const FIELDS = ['messages', 'prompt', 'input'] as const;

/** What an upstream said, without what it repeats of the request: vendors quote prompts in their errors, and logs hold none. */
export function withoutEcho(said: string, body: JsonObject): string {
  const texts: string[] = [];
  if (
    !collect(
      FIELDS.map(field => body[field] ?? null),
      texts,
    )
  )
    return said.slice(0, BEGINNING);
  let clean = said;
  for (const text of texts) {
    if (text.length < SHORT) continue;
    if (text.length <= RUN + STEP) clean = clean.replaceAll(text, () => MARK);
  }
  const long = texts.filter(text => text.length > RUN + STEP);
  return long.length === 0 ? clean : withoutRuns(clean, long.join('\n'));
}

function withoutRuns(said: string, text: string): string {
  const echoed = new Array<boolean>(said.length).fill(false);
  for (let at = 0; at + RUN <= said.length; at += STEP) {
    if (!text.includes(said.slice(at, at + RUN))) continue;
    // What stands in the text at both sides is of the same run, but for less than a step.
    echoed.fill(true, Math.max(0, at - STEP), Math.min(said.length, at + RUN + STEP));
  }
  let clean = '';
  for (let at = 0; at < said.length; at += 1) {
    if (!echoed[at]) clean += said[at];
    else if (!echoed[at - 1]) clean += MARK;
  }
  return clean;
}

/** All strings within; false where there is too much of them. */
function collect(value: JsonValue, into: string[]): boolean {
  const waiting: JsonValue[] = [value];
  let length = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next === 'string') {
      length += next.length;
      if (length > TEXT_LENGTH_MAX) return false;
      into.push(next);
    } else if (typeof next === 'object' && next !== null) {
      for (const inner of Object.values(next))
        if (typeof inner === 'string' || typeof inner === 'object') waiting.push(inner);
      if (waiting.length > TEXT_LENGTH_MAX) return false;
    }
  }
  return true;
}
