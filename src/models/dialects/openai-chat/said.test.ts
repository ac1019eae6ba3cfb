import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeResponse } from './response.ts';

const call = { name: 'weather', arguments: { city: 'Hamburg', days: [1, 2] } };
const written = 'weather{"city":"Hamburg","days":[1,2]}';

/** Messages as hosts write them, and what of them is counted where no usage came. */
const MESSAGES: readonly (readonly [object, string])[] = [
  [{ content: 'words' }, 'words'],
  [{ content: { text: 'words' } }, '{"text":"words"}'],
  [{ content: ['words', { type: 'text', text: ' and' }, { type: 'refusal', refusal: ' no' }] }, 'words and no'],
  [{ content: null, refusal: 'no' }, 'no'],
  [{ content: '', thinking: 'hm' }, 'hm'],
  [{ content: 'so', reasoning: 'hm', thinking: 'hm', reasoning_content: 'hm' }, 'hmso'],
  [{ tool_calls: [{ function: { name: 'weather', arguments: '{}' } }] }, 'weather{}'],
  [{ tool_calls: [{ function: call }] }, written],
  [{ tool_calls: [{ id: 'a', type: 'function', ...call }] }, written],
  [{ tool_calls: { function: call } }, written],
  [{ tool_calls: [{ custom: { name: 'weather', input: ['sun'] } }] }, 'weather["sun"]'],
  [{ function_call: call }, written],
  [{ tool_calls: [null, 5, { function: null }, { function: { name: 5 } }] }, ''],
  [{ content: '', tool_calls: [], function_call: null }, ''],
];

test('what a model said is counted, in whatever shape it stands', () => {
  for (const [message, text] of MESSAGES) {
    const body = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] });
    assert.equal(decodeResponse('chat', Buffer.from(body)).text, text, body);
  }
});
