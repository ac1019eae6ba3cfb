import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createGbnfRules } from './gbnf.ts';
import { acceptor } from './grammar-fixture.ts';
import { patternExpression } from './pattern.ts';

const FREE = { least: 0, most: undefined };

async function patternAcceptor(source: string, lengths: { least: number; most: number | undefined } = FREE) {
  const rules = createGbnfRules();
  const expression = patternExpression(source, rules, lengths);
  assert.ok(expression !== undefined, source);
  const accepts = await acceptor(rules.text(`"\\"" ${expression} "\\""`));
  return (text: string) => accepts(JSON.stringify(text));
}

const ATOMS = ['a', 'b', '[ab]', '[^a]', '\\d', '\\w', '.', '(?:ab|c)', '(a|b\\d)', '-', '\\.', 'é', '中', '"', '\\\\'];
const patterns = fc
  .array(fc.tuple(fc.constantFrom(...ATOMS), fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '{2,}')), {
    minLength: 1,
    maxLength: 4,
  })
  .map(parts => parts.map(part => part.join('')).join(''));
const anchored = fc.tuple(fc.constantFrom('^', ''), patterns, fc.constantFrom('$', '')).map(parts => parts.join(''));
const texts = fc.array(
  fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '-', '.', 'é', '中', '"', '\\', 'Z'), maxLength: 6 }),
  {
    minLength: 30,
    maxLength: 30,
  },
);

test('a pattern allows what the regular expression does, and nothing else', async () => {
  const property = fc.asyncProperty(anchored, texts, async (source, samples) => {
    const accepts = await patternAcceptor(source);
    for (const text of samples) assert.equal(accepts(text), new RegExp(source, 'u').test(text), `${source} on ${text}`);
  });
  await fc.assert(property, { numRuns: 120 });
});

test('lengths go with a pattern where it has a count to take them', async () => {
  const slug = await patternAcceptor('^[a-z0-9-]+$', { least: 3, most: 64 });
  assert.ok(slug('abc') && slug('a'.repeat(64)) && !slug('ab') && !slug('a'.repeat(65)));
  const fixed = await patternAcceptor('^ab{2,4}$', { least: 1, most: 5 });
  assert.ok(fixed('abb') && !fixed('ab'));
  for (const [source, lengths] of [
    ['^a+b+$', { least: 0, most: 9 }],
    ['a', { least: 2, most: undefined }],
    ['^ab$', { least: 3, most: undefined }],
  ] as const)
    assert.equal(patternExpression(source, createGbnfRules(), lengths), undefined, source);
});

for (const source of [
  '(?=a)',
  '(?!a)',
  '(?<=a)b',
  '(a)\\1',
  '\\bword\\b',
  'a**',
  '(a*)*',
  '(',
  ')',
  '[',
  '[z-a]',
  '[\\w-z]',
  'a{2,1}',
  'a{x}',
  '\\p{L}',
  '\\u12',
  'a^b',
  'a$b',
  `${'(a|b)'.repeat(500)}`,
  `${'('.repeat(30)}a${')'.repeat(30)}`,
  '(((a{1,32}){1,32}){1,32}){1,32}',
  'x'.repeat(3_000),
  '\\u{110000}',
  '[\\b]',
  '[]',
])
  test(`not of the safe subset: ${source.slice(0, 30)}`, () => {
    assert.equal(patternExpression(source, createGbnfRules(), FREE), undefined);
  });

test('long counts cost rules by their logarithm, and hold to the letter', async () => {
  for (const [least, most] of [
    [0, 5_000],
    [33, 100],
    [70, 70],
    [4_999, 5_001],
  ] as const) {
    const rules = createGbnfRules();
    const before = rules.text('ws').length;
    const expression = patternExpression(`^a{${least},${most}}$`, rules, FREE) ?? '';
    const text = rules.text(`"<" ${expression} ">"`);
    assert.ok(text.length < before + 2_000, `${text.length}`);
    const accepts = await acceptor(text);
    for (const count of [
      least - 1,
      least,
      least + 1,
      31,
      32,
      33,
      34,
      64,
      65,
      66,
      67,
      68,
      99,
      131,
      132,
      133,
      most - 1,
      most,
      most + 1,
    ])
      if (count >= 0)
        assert.equal(
          accepts(`<${'a'.repeat(count)}>`),
          count >= least && count <= most,
          `${count} in ${least}..${most}`,
        );
  }
});
