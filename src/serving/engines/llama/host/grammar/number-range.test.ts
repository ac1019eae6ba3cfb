import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { acceptor } from './grammar-fixture.ts';
import { type Bound, decimalRange, integerRange, parseBound } from './number-range.ts';

const FRACTION = 'fraction ::= "." [0-9]{1,16}';

function bound(text: string, excluded = false): Bound {
  const parsed = parseBound(text, excluded);
  assert.ok(parsed);
  return parsed;
}

/** A decimal as a count of 1e-40: compared exactly, without a word of the code under test. */
function scaled(text: string): bigint {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const size = BigInt(whole + fraction.padEnd(40, '0'));
  return text.startsWith('-') ? -size : size;
}

test('ranges of whole numbers and of decimals, against counting', async () => {
  for (const [from, to] of [
    [0, 0],
    [0, 10],
    [5, 123],
    [99, 101],
    [-7, 3],
    [-120, -5],
    [17, 1234],
    [100, 999],
  ] as const) {
    const whole = await acceptor(`root ::= ${integerRange(bound(String(from)), bound(String(to)))}`);
    const decimal = await acceptor(`root ::= ${decimalRange(bound(String(from)), bound(String(to)))}\n${FRACTION}`);
    for (let value = -1300; value <= 1300; value += value > -130 && value < 130 ? 1 : 7) {
      const inside = value >= from && value <= to;
      assert.equal(whole(String(value)), inside, `${value} in ${from}..${to}`);
      assert.equal(decimal(String(value)), inside, `${value} in ${from}..${to}`);
    }
  }
});

const decimalText = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: fc.constantFrom('0', '1', '2', '9', '10', '12', '99', '120'),
    fraction: fc.constantFrom('', '.1', '.5', '.05', '.09', '.95', '.99', '.125', '.501'),
  })
  .map(({ sign, whole, fraction }) => `${sign}${whole}${fraction}`)
  .filter(text => scaled(text) !== 0n || !text.startsWith('-'));

test('decimal bounds of any kind, excluded or not, open or not: never more, and hardly less', async () => {
  const ends = fc.option(fc.record({ text: decimalText, excluded: fc.boolean() }), { nil: undefined });
  const property = fc.asyncProperty(
    ends,
    ends,
    fc.array(decimalText, { minLength: 20, maxLength: 20 }),
    async (from, to, texts) => {
      const range = decimalRange(from && bound(from.text, from.excluded), to && bound(to.text, to.excluded));
      const accepts = range === undefined ? () => false : await acceptor(`root ::= ${range}\n${FRACTION}`);
      for (const text of [...texts, ...(from ? [from.text] : []), ...(to ? [to.text] : [])]) {
        const above =
          from === undefined ||
          scaled(text) > scaled(from.text) ||
          (!from.excluded && scaled(text) === scaled(from.text));
        const below =
          to === undefined || scaled(text) < scaled(to.text) || (!to.excluded && scaled(text) === scaled(to.text));
        const said = `${text} in ${JSON.stringify([from, to])}`;
        // "1.0" for 1 and zeros at the end may be left out, no value that is outside may come in.
        if (accepts(text)) assert.ok(above && below, said);
        else if (above && below) assert.ok(accepts(`${text}${text.includes('.') ? '' : '.'}0`) || accepts(text), said);
      }
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

test('bounds beyond what JavaScript counts, and such as it writes with an exponent', async () => {
  const whole = await acceptor(`root ::= ${integerRange(bound('-9223372036854775808'), bound('9223372036854775807'))}`);
  assert.ok(whole('9223372036854775807') && whole('-9223372036854775808') && whole('9007199254740993'));
  assert.ok(!whole('9223372036854775808') && !whole('-9223372036854775809'));
  const open = await acceptor(`root ::= ${integerRange(bound('3'), undefined)}`);
  assert.ok(open('3') && open('1234567890123456789') && !open('2') && !open('-3'));
  const tiny = await acceptor(`root ::= ${decimalRange(bound('1e-7'), bound('1.5E+2'))}\n${FRACTION}`);
  assert.ok(tiny('0.0000001') && tiny('150') && !tiny('0.00000009') && !tiny('150.1'));
  const positive = await acceptor(`root ::= ${decimalRange(bound('0', true), undefined)}\n${FRACTION}`);
  assert.ok(positive('0.0001') && positive('12.5') && !positive('0') && !positive('0.0') && !positive('-1'));
  assert.equal(integerRange(bound('0.1'), bound('0.9')), undefined);
  assert.equal(decimalRange(bound('1', true), bound('1')), undefined);
  for (const bad of ['', 'x', '1e', '--1', '1e99', '0x1']) assert.equal(parseBound(bad, false), undefined, bad);
});
