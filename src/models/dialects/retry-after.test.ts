import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from './retry-after.ts';

const NOW_MS = Date.parse('2026-11-24T10:00:00Z');
const DAY_MS = 86_400_000;

const CASES: readonly [Record<string, string>, number | undefined][] = [
  [{}, undefined],
  [{ 'retry-after': '7' }, 7_000],
  [{ 'retry-after': ' 0 ' }, 0],
  [{ 'retry-after': '1.5' }, 1_500],
  [{ 'retry-after': '0.0004' }, 1],
  [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 1_500],
  [{ 'retry-after': 'Tue, 24 Nov 2026 10:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Tue, 24 Nov 2026 09:00:00 GMT' }, 0],
  // The upstream's own clock is the one its date was made by.
  [{ 'retry-after': 'Tue, 24 Nov 2026 10:00:30 GMT', date: 'Tue, 24 Nov 2026 10:00:10 GMT' }, 20_000],
  [{ 'retry-after': '20s' }, 20_000],
  [{ 'retry-after': String(NOW_MS / 1000 + 12) }, 12_000],
  [{ 'retry-after': String(NOW_MS + 1_234) }, 1_234],
  [{ 'retry-after': '99999999' }, DAY_MS],
  ...['-5', 'soon', 'NaN', 'Infinity', '1e9', '', ' ', 'x'.repeat(100), '5;DROP'].map(
    (text): [Record<string, string>, undefined] => [{ 'retry-after': text }, undefined],
  ),
  [{ 'x-ratelimit-reset-requests': '6m0s' }, 360_000],
  [{ 'x-ratelimit-reset-requests': '1h2m3.5s' }, 3_723_500],
  [{ 'x-ratelimit-reset-tokens': '20ms' }, 20],
  [{ 'x-ratelimit-reset-tokens': '1m20ms' }, 60_020],
  [{ 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '3s' }, 3_000],
  // Only the limit that is spent is in the way.
  [
    {
      'x-ratelimit-remaining-requests': '10',
      'x-ratelimit-reset-requests': '8s',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '2s',
    },
    2_000,
  ],
  [{ 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '8' }, undefined],
  [{ 'x-ratelimit-reset': String(NOW_MS / 1000 + 5) }, 5_000],
  [{ 'ratelimit-reset': '2026-11-24T10:00:04Z' }, 4_000],
  [{ 'x-ratelimit-reset': 'never' }, undefined],
];

for (const [headers, expected] of CASES) {
  test(JSON.stringify(headers), () => assert.equal(retryAfterMs(new Map(Object.entries(headers)), NOW_MS), expected));
}
