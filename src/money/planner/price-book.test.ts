import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rate } from '../pricing/index.ts';
import { PRICE_BOOKS } from './data/price-books.ts';
import { findPriceBook } from './lookup.ts';
import { parseDate } from './parse-date.ts';
import { averageDay, charge, ratesAt } from './price-book.ts';

const output = (book: string, instant: string): string =>
  String(Number(ratesAt(findPriceBook('book', book), Date.parse(instant)).outputNano) / 1e9);

// Beijing times of the price notices, each at its edges.
const INSTANTS: readonly [book: string, instant: string, output: string, why: string][] = [
  ['deepseek-r1-2025-02-26', '2025-02-27T00:29:59+08:00', '2.19', 'before the night discount'],
  ['deepseek-r1-2025-02-26', '2025-02-27T00:30:00+08:00', '0.55', 'the night discount begins'],
  ['deepseek-r1-2025-02-26', '2025-02-27T08:29:59+08:00', '0.55', 'its last second'],
  ['deepseek-r1-2025-02-26', '2025-02-27T08:30:00+08:00', '2.19', 'it ends'],
  ['deepseek-v4.1-flash-2026-09-10', '2026-09-11T00:59:59Z', '0.6', 'Friday before the peak'],
  ['deepseek-v4.1-flash-2026-09-10', '2026-09-11T01:00:00Z', '1.2', 'Friday peak begins'],
  ['deepseek-v4.1-flash-2026-09-10', '2026-09-11T04:00:00Z', '0.6', 'between the peaks'],
  ['deepseek-v4.1-flash-2026-09-10', '2026-09-11T09:59:59Z', '1.2', 'second peak'],
  ['deepseek-v4.1-flash-2026-09-10', '2026-09-11T10:00:00Z', '0.6', 'after the second peak'],
  ['deepseek-v4.1-flash-2026-09-10', '2026-09-12T02:00:00Z', '0.6', 'Saturday'],
  ['deepseek-v4.1-flash-2026-09-10', '2026-10-01T02:00:00Z', '0.6', 'National Day, a Thursday'],
  ['deepseek-v4.1-flash-2026-09-10', '2026-10-08T02:00:00Z', '1.2', 'first day after the holiday'],
  ['deepseek-v4-flash-2026-08-16', '2026-08-22T02:00:00Z', '1.32', 'the August rule peaks on Saturdays too'],
  ['deepseek-r1-2025-02-09', '2025-02-27T02:00:00+08:00', '2.19', 'a flat book'],
];
for (const [book, instant, expected, why] of INSTANTS)
  test(`${book}: ${why}`, () => assert.equal(output(book, instant), expected));

test('the mean day spreads every hour over its rates', () => {
  const book = findPriceBook('book', 'deepseek-r1-2025-02-26');
  const day = averageDay(book, parseDate('date', '2025-02-27'), { days: 1, utcOffsetHours: 8 });
  const night = day.find(line => line.rates.outputNano === 550_000_000n);
  assert.deepEqual(night?.hourShares.slice(0, 10), [0.5, 1, 1, 1, 1, 1, 1, 1, 0.5, 0]);
  for (let hour = 0; hour < 24; hour++)
    assert.ok(Math.abs(day.reduce((sum, line) => sum + (line.hourShares[hour] ?? 0), 0) - 1) < 1e-9);
});

test('every book is sane: a hit never above a miss, a miss never above output, peak above base', () => {
  for (const book of PRICE_BOOKS) {
    for (const rates of [book.base, ...book.bands.map(band => band.rates)])
      assert.ok(rates.hitNano > 0n && rates.hitNano <= rates.missNano && rates.missNano <= rates.outputNano, book.id);
    assert.equal(new Date(`${book.date}T00:00:00Z`).toISOString().slice(0, 10), book.date);
  }
});

test('the planner charges as the gateway does', () => {
  const atMs = Date.parse('2026-09-11T01:30:00Z');
  const book = findPriceBook('book', 'deepseek-v4.1-flash-2026-09-10');
  for (const [hit, miss, output] of [
    [1, 1, 1],
    [7, 3, 5],
    [999, 0, 1],
  ] as const) {
    const usage = { inputTokens: hit + miss, cachedInputTokens: hit, outputTokens: output, reasoningTokens: 0 };
    const { amountNano } = rate(usage, book.price, { startMs: atMs, endMs: atMs });
    assert.equal(charge(ratesAt(book, atMs), { hit, miss, output }, book), amountNano);
  }
});

test('a charge is exact', () => {
  const book = findPriceBook('book', 'deepseek-r1-2025-02-09');
  assert.equal(charge(book.base, { hit: 342e9, miss: 266e9, output: 168e9 }, book), 562_100_000_000_000n);
});

for (const text of ['2026-02-30', '26-01-01', '2026-1-1', 'today'])
  test(`no date: ${text}`, () => assert.throws(() => parseDate('price.date', text), /is no date/));
