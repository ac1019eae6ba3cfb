import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { calibrationOf, type Learnt, learn, NOTHING_LEARNT, UNCALIBRATED } from './calibration.ts';
import { TokenCount } from './token-count.ts';

function countOf(pieces: readonly string[], streamed = true): TokenCount {
  const count = new TokenCount();
  for (const piece of pieces) {
    if (streamed) count.addPiece(piece);
    else count.addText(piece);
  }
  return count;
}

test('letters count the same however a text is cut, and a piece is at least a token', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), pieces => {
      const whole = countOf([pieces.join('')], false);
      assert.equal(countOf(pieces, false).byText(), whole.byText());
      const streamed = countOf(pieces);
      assert.equal(streamed.byText(), whole.byText());
      assert.ok(streamed.tokens(UNCALIBRATED) >= pieces.filter(piece => piece !== '').length);
      assert.ok(streamed.tokensAtLeast(UNCALIBRATED) <= streamed.tokens(UNCALIBRATED));
    }),
  );
  assert.equal(countOf(['']).tokens(UNCALIBRATED), 0);
  assert.equal(countOf(['你好世界'], false).tokens(UNCALIBRATED), 3);
  assert.equal(countOf(Array.from({ length: 300 }, () => '7')).tokens(UNCALIBRATED), 300);
  // A rule of a thousand dashes is no 250 tokens.
  assert.ok(countOf(['-'.repeat(1_000)], false).tokens(UNCALIBRATED) < 80);
});

const taught = (sample: { reported: number; byText: number; byPieces: number }, times: number): Learnt =>
  Array.from({ length: times }).reduce<Learnt>(known => learn(known, sample), NOTHING_LEARNT);

test('a count is calibrated by what its vendor reported, from the fourth answer on', () => {
  // A vendor that sends single letters: four pieces a token.
  const letters = { reported: 250, byText: 250, byPieces: 1_000 };
  assert.equal(calibrationOf(taught(letters, 3)), UNCALIBRATED);
  const spelled = countOf('one word after another and so on'.split(''));
  assert.equal(spelled.tokens(UNCALIBRATED), 32);
  assert.equal(spelled.tokens(calibrationOf(taught(letters, 4))), 8);
  // A tokenizer that makes twice as many.
  const fine = calibrationOf(taught({ reported: 500, byText: 250, byPieces: 0 }, 4));
  assert.equal(countOf(['x '.repeat(200)], false).tokens(fine), 200);
  assert.equal(fine.textError, 0.1, 'the least doubt that is stated');
});

test('what says nothing of tokenizers teaches nothing', () => {
  for (const sample of [
    { reported: 63, byText: 60, byPieces: 60 },
    { reported: 5_000, byText: 100, byPieces: 100 },
    { reported: 100, byText: 5_000, byPieces: 100 },
    { reported: 100, byText: 0, byPieces: 0 },
  ])
    assert.equal(learn(NOTHING_LEARNT, sample), NOTHING_LEARNT);
});

test('doubt grows with the spread, within its bounds; one event that holds a whole answer is not one token', () => {
  const steady = { reported: 100, byText: 100, byPieces: 100 };
  let known = taught(steady, 8);
  for (const reported of [160, 90, 170, 80]) known = learn(known, { ...steady, reported });
  const { textError } = calibrationOf(known);
  assert.ok(textError > 0.1 && textError <= 0.5, String(textError));
  const byPieces = calibrationOf(taught({ reported: 100, byText: 100, byPieces: 100 }, 8));
  assert.ok(countOf(['lorem ipsum '.repeat(1_000)]).tokens(byPieces) > 2_000);
});
