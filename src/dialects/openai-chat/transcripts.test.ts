// Recorded answers of vendors through the codec, split at every byte: the same events whatever the splitting, raw bytes untouched.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import type { StreamEvent } from '../codec.ts';
import { openaiChat } from './index.ts';

const folder = resolve(import.meta.dirname, '../../../../shared/fixtures/transcripts');
const skip = existsSync(folder) ? false : `no recorded transcripts at ${folder}`;
const vendors = ['deepseek', 'alibaba', 'openai', 'mistral'];
const files = skip
  ? []
  : vendors.flatMap(vendor =>
      readdirSync(join(folder, vendor)).map(name => ({ name, path: join(folder, vendor, name) })),
    );

interface Read {
  readonly events: readonly StreamEvent[];
  readonly out: string;
}

function read(bytes: Buffer, cuts: readonly number[], rename?: { from: string; to: string }): Read {
  const decoder = openaiChat.decoder('chat', { rename });
  const encoder = openaiChat.encoder('chat', { model: 'm', requestId: 'r', createdS: 1 });
  const events: StreamEvent[] = [];
  let out = '';
  const take = (frame: ReturnType<typeof decoder.push>) => {
    events.push(...frame.events);
    out += frame.raw ? Buffer.from(frame.raw).toString('utf8') : encoder.encode(frame.events);
  };
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    take(decoder.push(bytes.subarray(from, cut)));
    from = cut;
  }
  take(decoder.end());
  return { events, out };
}

/** What was said, without how it was cut. */
const essence = ({ events }: Read) =>
  events.map(event =>
    event.type === 'error' ? ['error', event.fault.code] : event.type === 'usage' ? ['usage', event.usage] : event,
  );

for (const { name, path } of files.filter(({ name }) => name.endsWith('.chunks.txt'))) {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter(line => line !== '');
  if (!lines[0]?.includes('chat.completion.chunk')) continue;
  test(`${name}: any splitting, raw bytes, usage`, () => {
    const bytes = Buffer.from(`${lines.map(line => `data: ${line}\n\n`).join('')}data: [DONE]\n\n`);
    const whole = read(bytes, []);
    const step = Math.max(1, Math.floor(bytes.length / 400));
    for (let cut = 1; cut < bytes.length; cut += step) {
      const split = read(bytes, [cut]);
      assert.deepEqual(essence(split), essence(whole), `cut at ${cut}`);
    }
    const byBytes = read(
      bytes,
      Array.from({ length: Math.min(bytes.length, 4_000) - 1 }, (_, index) => index + 1),
    );
    assert.deepEqual(essence(byBytes), essence(whole));
    assert.equal(whole.events.at(-1)?.type, 'done');
    assert.ok(whole.events.some(({ type }) => type === 'finish'));
    const usage = whole.events.findLast(event => event.type === 'usage');
    const expected = JSON.parse(lines.findLast(line => /"usage":\s*\{/.test(line)) ?? '{}').usage;
    assert.equal(usage?.type === 'usage' && usage.usage.outputTokens, expected.completion_tokens);
    assert.equal(usage?.type === 'usage' && usage.usage.inputTokens, expected.prompt_tokens);
    // Events without usage go on byte for byte, whichever way they are cut.
    const plain = lines.filter(line => !/"usage":\s*\{/.test(line));
    for (const line of plain) assert.ok(byBytes.out.includes(`data: ${line}\n\n`));
    assert.ok(!/"usage":\s*\{/.test(whole.out) && !whole.out.includes('[DONE]'));
  });
  test(`${name}: renamed without loss`, () => {
    const bytes = Buffer.from(lines.map(line => `data: ${line}\n\n`).join(''));
    const from = JSON.parse(lines[0] ?? '{}').model;
    const { out } = read(bytes, [], { from, to: 'ours' });
    const expected = lines
      .map(line => JSON.parse(line))
      .filter(chunk => chunk.choices.length > 0)
      .map(({ usage, ...chunk }) => ({ ...chunk, ...(usage === null ? { usage } : {}), model: 'ours' }));
    assert.deepEqual(
      out
        .trimEnd()
        .split('\n\n')
        .map(event => JSON.parse(event.slice(6))),
      expected,
    );
  });
}

for (const { name, path } of files.filter(({ name }) => name.endsWith('.json'))) {
  const bytes = readFileSync(path);
  const body = JSON.parse(bytes.toString('utf8'));
  if (!body.choices) continue;
  test(`${name}: a whole answer with usage and cost`, () => {
    const answer = openaiChat.decodeResponse('chat', bytes);
    assert.equal(answer.usage?.outputTokens, body.usage.completion_tokens);
    assert.ok(answer.text.length > 0);
    const out = JSON.parse(
      openaiChat.encodeResponse(answer, {
        usage: answer.usage ?? assert.fail(),
        cost: { currency: 'CNY', amount: '0.1' },
        model: 'ours',
      }),
    );
    assert.deepEqual(out.choices, body.choices);
    assert.deepEqual(out.usage.cost, { currency: 'CNY', amount: '0.1' });
    assert.equal(out.model, 'ours');
    assert.equal(out.id, body.id);
  });
}

test('transcripts are there', { skip }, () => assert.ok(files.length > 10));
