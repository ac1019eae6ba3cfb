import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fields } from '../requests/fields.ts';
import { parseMessages } from '../requests/parse-messages.ts';
import { parseTools } from '../requests/parse-tools.ts';
import { createChatTemplate } from './chat-template.ts';

const TOKENS = { bos: '<s>', eos: '</s>' };
const HERMES = createChatTemplate(
  '{% if tools %}TOOLS {{ tools | tojson }} use <tool_call>{% endif %}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}',
  TOKENS,
);

test('a template sees messages, marks, thinking and what the caller adds', () => {
  const template = createChatTemplate(
    '{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}A{% endif %}{% if enable_thinking is defined %}{{ enable_thinking }}{% endif %}{{ mood }}',
    TOKENS,
  );
  const messages = [{ role: 'user', content: 'hi' }];
  assert.equal(template.render({ messages, more: {} }), '<s>user:hi</s>A');
  assert.equal(template.render({ messages, thinking: false, more: { mood: '!' } }), '<s>user:hi</s>Afalse!');
  assert.equal(template.source, 'model');
});

test('without a template it is ChatML', () => {
  const template = createChatTemplate(undefined, TOKENS);
  assert.equal(template.source, 'chatml');
  assert.equal(
    template.render({ messages: [{ role: 'user', content: 'hi' }], more: {} }),
    '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n',
  );
});

test("a template's own refusal is the caller's fault, in its words", () => {
  const template = createChatTemplate("{{ raise_exception('roles must alternate') }}", TOKENS);
  assert.throws(() => template.render({ messages: [], more: {} }), /messages do not fit.*roles must alternate/);
});

test('messages become what templates expect', () => {
  const parsed = parseMessages(
    new Fields({
      messages: [
        {
          role: 'developer',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }],
        },
        { role: 'tool', tool_call_id: 'c', content: '2', extra: 'dropped' },
      ],
    }),
  );
  assert.deepEqual(parsed, [
    { role: 'system', content: 'ab' },
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
    },
    { role: 'tool', content: '2', tool_call_id: 'c' },
  ]);
});

for (const [what, messages] of [
  ['none', []],
  ['no list', 'hi'],
  ['no object', [1]],
  ['unknown role', [{ role: 'narrator', content: 'x' }]],
  ['no content', [{ role: 'user' }]],
  ['an image', [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }]],
  ['a nameless call', [{ role: 'assistant', tool_calls: [{ function: {} }] }]],
] as const)
  test(`messages refused: ${what}`, () => {
    assert.throws(() => parseMessages(new Fields({ messages })), /^Fault: messages/);
  });

const TOOLS = [
  {
    type: 'function',
    function: { name: 'add', parameters: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] } },
  },
  { type: 'function', function: { name: 'now' } },
];

test('tools: what a model can be made to do, and what it must have learnt', () => {
  const plain = createChatTemplate('x', TOKENS);
  const plan = (template: typeof plain, body: object) => parseTools(new Fields({ tools: TOOLS, ...body }), template);
  assert.deepEqual(plan(plain, { tool_choice: 'none' }), { text: 'none' });
  assert.deepEqual(parseTools(new Fields({}), plain), { text: 'none' });
  assert.throws(() => plan(plain, {}), /tool_choice cannot be auto/);
  const auto = plan(HERMES, {});
  assert.equal(auto.text, 'marked');
  assert.equal(auto.grammar, undefined);
  assert.equal(auto.definitions?.length, 2);
  const forced = plan(HERMES, { tool_choice: 'required' });
  assert.match(forced.grammar ?? '', /^root ::= "<tool_call>\\x0a"/);
  const named = plan(plain, { tool_choice: { type: 'function', function: { name: 'now' } } });
  assert.equal(named.text, 'bare');
  assert.match(named.instruction ?? '', /now/);
  assert.doesNotMatch(named.instruction ?? '', /add/);
  const untold = parseTools(new Fields({ tools: TOOLS, tool_choice: 'required' }), plain, { readsInstructions: false });
  assert.equal(untold.instruction, undefined);
  assert.match(untold.grammar ?? '', /now/);
  for (const body of [
    { tool_choice: 'sometimes' },
    { tool_choice: { type: 'function', function: { name: 'sub' } } },
    { tools: [{ type: 'retrieval' }] },
    { tools: [{ type: 'function', function: { name: 'bad name' } }] },
    { tools: [], tool_choice: 'required' },
  ])
    assert.throws(() => plan(HERMES, body), /tool/);
});
