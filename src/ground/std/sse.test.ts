import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createSseReader, formatSseComment, formatSseEvent, type SseBatch } from './index.ts';

interface Seen {
  readonly type: string;
  readonly data: string;
  readonly id?: string;
}

interface Read {
  readonly events: readonly Seen[];
  readonly overflow: boolean;
  /** Bytes of all events, joined. */
  readonly bytes: string;
}

/** Reads `input` cut at the given offsets. */
function read(input: Uint8Array, cuts: readonly number[], lineBytesMax?: number): Read {
  const reader = createSseReader(lineBytesMax === undefined ? {} : { lineBytesMax });
  const events: Seen[] = [];
  const bytes: Buffer[] = [];
  let overflow = false;
  const take = (batch: SseBatch) => {
    if (batch.leadingLf) bytes.push(batch.bytes.subarray(0, 1));
    for (const { type, data, id, start, end } of batch.events) {
      events.push(id === undefined ? { type, data } : { type, data, id });
      bytes.push(batch.bytes.subarray(start, end));
    }
    overflow ||= batch.overflow;
  };
  let from = 0;
  for (const cut of [...cuts, input.length]) {
    take(reader.push(input.subarray(from, cut)));
    from = cut;
  }
  take(reader.end());
  // latin1: every byte shows as itself, so that equality is equality of bytes.
  return { events, overflow, bytes: Buffer.concat(bytes).toString('latin1') };
}

const message = (data: string): Seen => ({ type: 'message', data });

// Written from the rules of WHATWG HTML §9.2.6; the names follow the web platform tests' event source cases.
const FORMATS: readonly { name: string; text: string | Uint8Array; events: readonly Seen[] }[] = [
  { name: 'one line', text: 'data: a\n\n', events: [message('a')] },
  { name: 'CRLF', text: 'data: a\r\n\r\ndata: b\r\n\r\n', events: [message('a'), message('b')] },
  { name: 'CR', text: 'data: a\r\rdata: b\r\r', events: [message('a'), message('b')] },
  { name: 'mixed ends', text: 'data: a\n\rdata: b\r\n\ndata: c\r\r\n', events: ['a', 'b', 'c'].map(message) },
  { name: 'CR CR LF is two line ends', text: 'data: a\r\r\ndata: b\n\n', events: [message('a'), message('b')] },
  { name: 'several data lines', text: 'data: a\ndata: b\ndata\ndata:c\n\n', events: [message('a\nb\n\nc')] },
  { name: 'several lines by CRLF', text: 'data: a\r\ndata: b\r\n\r\n', events: [message('a\nb')] },
  { name: 'empty data', text: 'data\n\ndata:\n\ndata: \n\n', events: [message(''), message(''), message('')] },
  { name: 'only one space goes', text: 'data:  a\n\ndata:\tb\n\n', events: [message(' a'), message('\tb')] },
  { name: 'colons in the value', text: 'data: a:b: c\n\ndata::\n\n', events: [message('a:b: c'), message(':')] },
  { name: 'comments', text: ': hi\n\ndata: a\n: in\n:\ndata: b\n\n:\n:\n\n', events: [message('a\nb')] },
  { name: 'comment with a NUL', text: ':\0\ndata: a\n\n', events: [message('a')] },
  { name: 'NUL in data', text: 'data: a\0b\n\n', events: [message('a\0b')] },
  {
    name: 'unknown fields',
    text: 'x: 1\nDATA: 2\n data: 3\ndatab: 4\ndat: 5\ndata: a\nfoo\n\n',
    events: [message('a')],
  },
  {
    name: 'event names',
    text: 'event: add\ndata: 1\n\nevent:\ndata: 2\n\n',
    events: [{ type: 'add', data: '1' }, message('2')],
  },
  {
    name: 'the last event name stands',
    text: 'event: a\nevent: b\ndata: 1\n\ndata: 2\n\n',
    events: [{ type: 'b', data: '1' }, message('2')],
  },
  {
    name: 'an event without data is none',
    text: 'event: a\n\nid: 1\n\nretry: 5\n\ndata: x\n\n',
    events: [message('x')],
  },
  {
    name: 'ids',
    text: 'id: 1\ndata: a\n\nid\ndata: b\n\nid: 2\0\ndata: c\n\n',
    events: [{ ...message('a'), id: '1' }, { ...message('b'), id: '' }, message('c')],
  },
  { name: 'bogus retry', text: 'retry: 1x\ndata: a\n\n', events: [message('a')] },
  { name: 'mark at the start', text: '\uFEFFdata: a\n\n', events: [message('a')] },
  { name: 'second mark is no mark', text: '\uFEFF\uFEFFdata: a\n\ndata: b\n\n', events: [message('b')] },
  { name: 'mark later is part of a field name', text: 'data: a\n\n\uFEFFdata: b\n\n', events: [message('a')] },
  { name: 'wide characters', text: 'data: ok…\n\ndata: 重点🍓é\n\n', events: [message('ok…'), message('重点🍓é')] },
  {
    name: 'line separators of Unicode end no line',
    text: 'data: a\u2028b\u0085c\n\n',
    events: [message('a\u2028b\u0085c')],
  },
  { name: 'bytes that are no UTF-8', text: Buffer.from('data: \xff\n\n', 'latin1'), events: [message('\uFFFD')] },
  { name: 'no last blank line', text: 'data: a\n\ndata: b\n', events: [message('a'), message('b')] },
  { name: 'no last line end', text: 'data: a\n\ndata: b', events: [message('a'), message('b')] },
  { name: 'nothing at all', text: '', events: [] },
  { name: 'part of a mark only', text: Buffer.from([0xef, 0xbb]), events: [] },
  { name: 'blank lines only', text: '\n\r\n\r\r', events: [] },
  { name: 'leading blank lines', text: '\n\n\r\ndata: a\n\n\n\ndata: b\n\n', events: [message('a'), message('b')] },
];

describe('reading', () => {
  for (const { name, text, events } of FORMATS) {
    test(`${name}, cut at every offset`, () => {
      const input = Buffer.from(text);
      const whole = read(input, []);
      assert.deepEqual(whole.events, events);
      const bytewise = Array.from({ length: input.length }, (_, at) => at);
      assert.deepEqual(read(input, bytewise), whole, 'byte by byte');
      for (const first of bytewise) {
        assert.deepEqual(read(input, [first]), whole, `cut at ${first}`);
        for (const second of bytewise.slice(first)) assert.deepEqual(read(input, [first, second]), whole);
      }
    });
  }

  test('any text of protocol pieces reads the same however it is cut', () => {
    const piece = fc.constantFrom(
      'data',
      'event',
      'id',
      ':',
      ': ',
      ' ',
      '\n',
      '\r',
      '\r\n',
      'x',
      '重',
      '🍓',
      '\0',
      '\uFEFF',
      '\n\n',
      'data: {"a":1}\n\n',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.array(fc.nat(120), { maxLength: 12 }),
        fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
        (pieces, offsets, limit) => {
          const input = Buffer.from(pieces.join(''));
          const cuts = offsets.map(at => Math.min(at, input.length)).sort((a, b) => a - b);
          assert.deepEqual(read(input, cuts, limit), read(input, [], limit));
        },
      ),
      { numRuns: 10_000 },
    );
  });

  test('what is written is read back', () => {
    const line = fc
      .array(fc.constantFrom('a', ' ', ':', 'data', '重', '🍓', '\uFEFF'), { maxLength: 6 })
      .map(parts => parts.join(''));
    fc.assert(
      fc.property(
        fc.array(fc.record({ lines: fc.array(line, { minLength: 1, maxLength: 4 }), id: line, type: line }), {
          maxLength: 5,
        }),
        events => {
          const text = events
            .map(
              ({ lines, id, type }) =>
                formatSseComment('…\nwait') + formatSseEvent({ data: lines.join('\n'), id, type }),
            )
            .join('');
          const expected = events.map(({ lines, id, type }) => ({
            type: type === '' ? 'message' : type,
            data: lines.join('\n'),
            id,
          }));
          assert.deepEqual(read(Buffer.from(text), []).events, expected);
        },
      ),
    );
  });
});

describe('limits', () => {
  test('an event at the limit passes, one byte more does not, however it is cut', () => {
    const event = (bytes: number) => `data: ok\n\n${'data: '.padEnd(bytes, 'x')}\n\n`;
    for (const [bytes, overflow] of [
      [100, false],
      [101, true],
    ] as const) {
      const input = Buffer.from(event(bytes));
      for (const step of [1, 7, 50, 1000]) {
        const cuts = Array.from({ length: Math.ceil(input.length / step) }, (_, index) => index * step);
        const seen = read(input, cuts, 100);
        assert.equal(seen.overflow, overflow, `${bytes} bytes in steps of ${step}`);
        assert.equal(seen.events.length, overflow ? 1 : 2);
      }
    }
  });

  test('many short lines of one event, and a line that never ends, are both refused', () => {
    assert.equal(read(Buffer.from('data: x\n'.repeat(100)), [], 200).overflow, true);
    assert.equal(read(Buffer.from('x'.repeat(1000)), [], 200).overflow, true);
    assert.equal(read(Buffer.from(`:${'x'.repeat(1000)}\n`), [], 200).overflow, true);
  });

  test('after the limit nothing is read', () => {
    const reader = createSseReader({ lineBytesMax: 10 });
    assert.equal(reader.push(Buffer.from('data: 0123456789\n\n')).overflow, true);
    assert.deepEqual(reader.push(Buffer.from('data: a\n\n')).events, []);
    assert.deepEqual(reader.end().events, []);
  });

  test('comments may come for ever', () => {
    const reader = createSseReader({ lineBytesMax: 64 });
    const comments = Buffer.from(': keep-alive\n'.repeat(50));
    for (let round = 0; round < 200; round += 1) assert.equal(reader.push(comments).overflow, false);
    assert.equal(reader.push(Buffer.from('data: a\n\n')).events.length, 1);
  });

  test('a megabyte in one event, byte by byte, takes linear work', () => {
    const reader = createSseReader({ lineBytesMax: 2_000_000 });
    const line = Buffer.from('data: x\n');
    const started = performance.now();
    for (let at = 0; at < 1_000_000; at += 1) reader.push(line.subarray(at % 8, (at % 8) + 1));
    const [event] = reader.push(Buffer.from('\n')).events;
    assert.equal(event?.data.length, 249_999);
    // Quadratic work would take hours; the bound only has to tell the two apart on a busy machine.
    assert.ok(performance.now() - started < 20_000);
  });

  test('bytes handed out are not written to later', () => {
    const reader = createSseReader();
    reader.push(Buffer.from('data: fir'));
    const batch = reader.push(Buffer.from('st\n\ndata: sec'));
    const [event] = batch.events;
    assert.ok(event);
    const view = batch.bytes.subarray(event.start, event.end);
    reader.push(Buffer.from('ond and a long rest\n\ndata: third\n\n'));
    assert.equal(view.toString(), 'data: first\n\n');
  });
});

describe('writing', () => {
  test('one-line fields and long lines are refused', () => {
    assert.throws(() => formatSseEvent({ data: 'a', type: 'x\ny' }), RangeError);
    assert.throws(() => formatSseEvent({ data: 'a', id: 'x\ry' }), RangeError);
    assert.throws(() => formatSseEvent({ data: '重'.repeat(34) }, { lineBytesMax: 100 }), RangeError);
    assert.equal(formatSseEvent({ data: '重'.repeat(33) }, { lineBytesMax: 100 }), `data: ${'重'.repeat(33)}\n\n`);
    assert.equal(formatSseEvent({ data: 'a\r\nb' }), 'data: a\ndata: b\n\n');
    assert.equal(formatSseComment('a\nb'), ': a\n: b\n\n');
  });
});
