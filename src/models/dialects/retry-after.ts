type Headers = ReadonlyMap<string, string>;

/** Longest wait believed: what an upstream says beyond it (a month's quota, a broken clock) is taken as one day. */
const WAIT_MS_MAX = 86_400_000;
/** Plain numbers above this are moments (s since the epoch: 2001), not waits. */
const EPOCH_S_MIN = 1_000_000_000;

/**
 * How long an upstream asks to wait, in ms; undefined where it does not say. `Retry-After` (RFC 9110 §10.2.3: seconds or a
 * date) and `retry-after-ms` go first; else, when a limit is spent, the moment at which it is whole again.
 *
 * @param headers names in lower case.
 * @param nowMs used where the answer carries no `date` of its own, which is the better clock for a date it names.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const sentMs = Date.parse(headers.get('date') ?? '');
  const now = Number.isFinite(sentMs) ? sentMs : nowMs;
  const exact = duration(headers.get('retry-after-ms'), 1, now);
  if (exact !== undefined) return exact;
  const asked = duration(headers.get('retry-after'), 1000, now);
  if (asked !== undefined) return asked;
  const limits = [
    ['x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
    ['x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'],
    ['x-ratelimit-remaining', 'x-ratelimit-reset'],
    ['ratelimit-remaining', 'ratelimit-reset'],
  ] as const;
  let longest: number | undefined;
  for (const [remaining, reset] of limits) {
    // A limit that is not spent is not the one in the way.
    if (Number(headers.get(remaining) ?? 0) > 0) continue;
    const wait = duration(headers.get(reset), 1000, now);
    if (wait !== undefined) longest = Math.max(longest ?? 0, wait);
  }
  return longest;
}

const NUMBER = /^\d{1,15}(?:\.\d{1,9})?$/;
/** Go's duration, as OpenAI and Groq write it: `6m0s`, `20ms`, `1h2m3.5s`. */
const PERIOD =
  /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?$/;

/** A number in `unitMs`, a moment since the epoch in s or ms, a period, or a date; undefined for anything else. */
function duration(header: string | undefined, unitMs: number, nowMs: number): number | undefined {
  const text = header?.trim();
  if (text === undefined || text === '' || text.length > 64) return undefined;
  if (NUMBER.test(text)) {
    const value = Number(text);
    if (value < EPOCH_S_MIN) return bounded(value * unitMs);
    return bounded((value < EPOCH_S_MIN * 1000 ? value * 1000 : value) - nowMs);
  }
  const period = PERIOD.exec(text);
  if (period) {
    const [, days = 0, hours = 0, minutes = 0, seconds = 0, ms = 0] = period;
    return bounded(
      (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(ms),
    );
  }
  const date = Date.parse(text);
  return /[a-z:T]/i.test(text) && Number.isFinite(date) ? bounded(date - nowMs) : undefined;
}

function bounded(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), WAIT_MS_MAX);
}
