import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Detokenizer, TokenText } from '../model/token-text.ts';
import { type AnswerShape, AnswerText } from './answer-text.ts';
import { toolTypes } from './tool-notation.ts';
import type { ToolShape } from './tool-text.ts';

/** What comes out of an answer that came in these pieces, and what was out before its end. */
function run(shape: AnswerShape, pieces: readonly string[]) {
  const answer = new AnswerText(shape);
  const out = { reasoning: '', content: '', calls: [] as object[] };
  const add = (piece: ReturnType<AnswerText['push']>) => {
    out.reasoning += piece.reasoning;
    out.content += piece.content;
    out.calls.push(...piece.calls);
  };
  for (const piece of pieces) {
    if (answer.stopped) break;
    add(answer.push(piece));
  }
  add(answer.end());
  return out;
}

const TYPES = toolTypes([
  {
    name: 'get_weather',
    parameters: {
      $defs: { day: { type: 'integer' } },
      properties: {
        city: { type: 'string' },
        days: { $ref: '#/$defs/day' },
        near: { type: 'array' },
        dry: { type: 'boolean' },
        zip: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      },
    },
  },
  { name: 'now', parameters: { type: 'object' } },
]);
const MARKED: ToolShape = { mode: 'marked', loose: false, types: TYPES };
const LOOSE: ToolShape = { ...MARKED, loose: true };
const BARE: ToolShape = { ...MARKED, mode: 'bare' };
const NONE: AnswerShape = { thinking: 'none', tools: undefined, stops: [] };
const CALL = '{"name": "f", "arguments": {"a": [1, "x"]}}';
const CALLED = { name: 'f', arguments: '{"a":[1,"x"]}' };

const CASES: readonly (readonly [what: string, shape: AnswerShape, text: string, out: object])[] = [
  ['plain', NONE, 'a\n<think>b', { content: 'a\n<think>b' }],
  ['thinking', { ...NONE, thinking: 'closed' }, '<think>\nwhy\n</think>\n\nso', { reasoning: 'why', content: 'so' }],
  [
    'thinking that the prompt opened',
    { ...NONE, thinking: 'open' },
    'why?\n\n because </think> so ',
    { reasoning: 'why?\n\n because', content: 'so ' },
  ],
  ['no thinking', { ...NONE, thinking: 'closed' }, ' <thin air', { content: ' <thin air' }],
  [
    'the mark later on is text',
    { ...NONE, thinking: 'closed' },
    'a <think>b</think>',
    { content: 'a <think>b</think>' },
  ],
  ['thinking without end', { ...NONE, thinking: 'open' }, '\nwhy </thi', { reasoning: 'why </thi' }],
  ['empty thinking', { ...NONE, thinking: 'open' }, '\n\n</think>\n\n', {}],
  ['stop', { ...NONE, stops: ['END', '\n\n'] }, 'a EN b\n ENDc', { content: 'a EN b\n ' }],
  ['the first stop wins', { ...NONE, stops: ['END', '\n\n'] }, 'a\n\nEND', { content: 'a' }],
  ['a stop that never comes whole', { ...NONE, stops: ['END'] }, 'a EN', { content: 'a EN' }],
  [
    'stops do not end thinking',
    { ...NONE, thinking: 'open', stops: ['\n'] },
    'a\nb</think>c\nd',
    { reasoning: 'a\nb', content: 'c' },
  ],
  ['forced call', { ...NONE, tools: BARE }, CALL, { calls: [CALLED] }],
  [
    'forced call that was cut',
    { ...NONE, tools: BARE },
    CALL.slice(0, -4),
    { calls: [{ name: 'f', arguments: '{"a": [1, "x' }] },
  ],
  ['forced call cut in its name', { ...NONE, tools: BARE }, '{"name": "f', { content: '{"name": "f' }],
  [
    'marked calls',
    { ...NONE, tools: MARKED },
    `so\n<tool_call>\n${CALL}\n</tool_call>\n<tool_call>${CALL}</tool_call>`,
    { content: 'so', calls: [CALLED, CALLED] },
  ],
  ['no call', { ...NONE, tools: MARKED }, 'a <tool_cal b', { content: 'a <tool_cal b' }],
  [
    'a call that is none',
    { ...NONE, tools: MARKED },
    '<tool_call>no</tool_call>',
    { content: '<tool_call>no</tool_call>' },
  ],
  [
    'a marked call that was cut',
    { ...NONE, tools: MARKED },
    `<tool_call>${CALL.slice(0, -3)}`,
    { calls: [{ name: 'f', arguments: '{"a": [1, "x"' }] },
  ],
  [
    'numbers in a call keep their text',
    { ...NONE, tools: MARKED },
    '<tool_call>\n{"name": "f", "arguments": {"id": 1234567890123456789, "r": 1.0, "big": 1e400, "s": "1.0"}}\n</tool_call>',
    { calls: [{ name: 'f', arguments: '{"id":1234567890123456789,"r":1.0,"big":1e400,"s":"1.0"}' }] },
  ],
  [
    'calls of Qwen3-Coder',
    { ...NONE, tools: LOOSE },
    'Let me see.\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=days>\n9007199254740993\n</parameter>\n<parameter=near>\n["a", 1.0]\n</parameter>\n<parameter=dry>\nTrue\n</parameter>\n<parameter=zip>\n075\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>',
    {
      content: 'Let me see.',
      calls: [
        {
          name: 'get_weather',
          arguments: '{"city":"Paris","days":9007199254740993,"near":["a",1.0],"dry":true,"zip":"075"}',
        },
        { name: 'now', arguments: '{}' },
      ],
    },
  ],
  [
    'calls of Qwen3-Coder without the outer marks, or with the last alone',
    { ...NONE, tools: LOOSE },
    'x <function=now>\n</function>\n</tool_call>\n<function=get_weather>\n<parameter=city>\na\n</parameter> b\n\n</parameter>\n</function>',
    {
      content: 'x',
      calls: [
        { name: 'now', arguments: '{}' },
        { name: 'get_weather', arguments: '{"city":"a\\n</parameter> b\\n"}' },
      ],
    },
  ],
  [
    'a call of Qwen3-Coder that was cut',
    { ...NONE, tools: LOOSE },
    '<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=da',
    { calls: [{ name: 'get_weather', arguments: '{"city":"Paris"' }] },
  ],
  [
    'calls of GLM, old and new',
    { ...NONE, tools: MARKED },
    '<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>北京</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n<tool_call>get_weather<arg_key>zip</arg_key><arg_value>null</arg_value></tool_call><tool_call>now</tool_call>',
    {
      calls: [
        { name: 'get_weather', arguments: '{"city":"北京","days":3}' },
        { name: 'get_weather', arguments: '{"zip":null}' },
        { name: 'now', arguments: '{}' },
      ],
    },
  ],
  [
    'a call of GLM that was cut',
    { ...NONE, tools: MARKED },
    '<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>北京</arg_value>\n<arg_key>da',
    { calls: [{ name: 'get_weather', arguments: '{"city":"北京"' }] },
  ],
  [
    'text about marks',
    { ...NONE, tools: LOOSE },
    'Use <tool_call>x y</tool_call> or <function=a b> so.',
    { content: 'Use <tool_call>x y</tool_call> or <function=a b> so.' },
  ],
  [
    'all at once',
    { thinking: 'open', tools: MARKED, stops: ['STOP'] },
    `t</think>\nc <tool_call>${CALL}</tool_call> STOP x`,
    { reasoning: 't', content: 'c', calls: [CALLED] },
  ],
];

for (const [what, shape, text, out] of CASES)
  test(`answer: ${what}, however it is cut`, () => {
    const wanted = { reasoning: '', content: '', calls: [], ...out };
    assert.deepEqual(run(shape, [text]), wanted);
    assert.deepEqual(run(shape, [...text]), wanted);
    const cuts = fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 6 });
    fc.assert(
      fc.property(cuts, at => {
        const ends = [0, ...at.toSorted((a, b) => a - b), text.length];
        const pieces = ends.slice(1).map((end, index) => text.slice(ends[index], end));
        assert.deepEqual(run(shape, pieces), wanted);
      }),
      { numRuns: 50 },
    );
  });

test('what is sure is given out at once', () => {
  const answer = new AnswerText({ ...NONE, thinking: 'open', stops: ['STOP'] });
  assert.equal(answer.push('\none two').reasoning, 'one two');
  assert.equal(answer.push(' three <').reasoning, ' three');
  assert.equal(answer.push('b').reasoning, ' <b');
  assert.ok(answer.thinking);
  assert.equal(answer.push('</think>yes ST').content, 'yes ');
  assert.equal(answer.push('ART').content, 'START');
  assert.ok(!answer.thinking);
});

/** Tokens that are bytes, as the hardest tokenizer would have them. */
const BYTES: Detokenizer<number> = { detokenize: tokens => new TextDecoder().decode(Uint8Array.from(tokens)) };

test('no half character is ever given out, and none is lost', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), value => {
      const text = new TokenText(BYTES, new Set());
      let out = '';
      for (const byte of new TextEncoder().encode(value)) {
        const piece = text.push(byte);
        assert.ok(!piece.includes('\uFFFD') || value.includes('\uFFFD'));
        out += piece;
      }
      assert.equal(out + text.end(), value);
    }),
  );
});

test('bytes that are no character come out as U+FFFD in the end, and hold nothing up for ever', () => {
  const text = new TokenText(BYTES, new Set());
  let out = text.push(0xe4) + text.push(0xbd);
  assert.equal(out, '');
  out += text.push(0x41);
  assert.equal(out, '\uFFFDA');
  for (let count = 0; count < 40; count += 1) out += text.push(0x80);
  assert.ok(out.length > 16);
  assert.equal((out + text.end()).length, 42);
});
