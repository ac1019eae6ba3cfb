import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault, type LogFields, silentLog } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import { codecs } from '../../models/dialects/index.ts';
import { createFailureNotes, type UpstreamFailure } from './failures.ts';
import { withoutEcho } from './without-echo.ts';

const deployment: Deployment = {
  ...{ id: 'd', upstreamModel: 'm', embedded: false, slot: 0, priority: 0, weight: 1, costs: [] },
  upstream: { providerId: 'p', dialect: 'openai-chat', baseUrl: '', allowPrivateNetwork: true, quirks: [] },
  ...{ timeoutMs: { connect: 1, firstByte: 1, answer: 1, idle: 1, total: 1 }, retriesTimeouts: false },
};
const PROMPT = 'My name is Erika Mustermann and I live at Heidestraße 17 in Köln';
const callOf = (content: unknown) =>
  codecs['openai-chat'].decodeRequest(
    'chat',
    Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] })),
  );

function open() {
  const lines: LogFields[] = [];
  const told: UpstreamFailure[] = [];
  const at = { ms: 1_000_000 };
  const notes = createFailureNotes({
    log: { ...silentLog, warn: (event, fields = {}) => lines.push({ event, ...fields }) },
    clock: { nowMs: () => at.ms, monotonicMs: () => at.ms },
    tell: failure => told.push(failure),
  });
  const fail = (
    internal: string,
    more: { id?: string; status?: number; code?: 'capacity' | 'invalid_parameter' } = {},
  ) => {
    const { id = 'd', status = 500, code = 'upstream_error' } = more;
    const fault = new Fault(code, { internal });
    notes.note('r', { deployment: { ...deployment, id }, call: callOf(PROMPT), status, fault });
  };
  return { lines, told, at, fail };
}

test('a line for each distinct failure, and again after a minute with how often it came', () => {
  const { lines, at, fail } = open();
  for (let times = 0; times < 5; times += 1) fail('boom');
  fail('other');
  fail('boom', { status: 502 });
  fail('boom', { id: 'e' });
  fail('boom', { code: 'capacity' });
  assert.equal(lines.length, 5);
  assert.deepEqual(lines[0], {
    ...{ event: 'upstream-failed', deployment: 'd', provider: 'p', model: 'm', requestId: 'r' },
    ...{ code: 'upstream_error', status: 500, reason: 'boom' },
  });
  at.ms += 60_000;
  fail('boom');
  assert.deepEqual([lines.length, lines[5]?.['repeats']], [6, 4]);
});

test('what the caller did wrong is none', () => {
  const { lines, told, fail } = open();
  fail('no such parameter', { code: 'invalid_parameter', status: 400 });
  assert.deepEqual([lines, told], [[], []]);
});

test('the newest of each deployment is told, once a second', () => {
  const { told, at, fail } = open();
  fail('a');
  fail('b');
  fail('c', { id: 'e' });
  at.ms += 1_000;
  fail('a');
  assert.deepEqual(
    told.map(({ deploymentId, reason, atMs }) => [deploymentId, reason, atMs]),
    [
      ['d', 'a', 1_000_000],
      ['e', 'c', 1_000_000],
      ['d', 'a', 1_001_000],
    ],
  );
});

test('vendors that say something new each time fill no memory, and no line is endless', () => {
  const { lines, fail } = open();
  for (let times = 0; times < 3_000; times += 1) fail(`request ${times}`);
  fail('x'.repeat(100_000));
  assert.equal(lines.length, 3_001);
  assert.equal(String(lines.at(-1)?.['reason']).length, 300);
});

test('no prompt is in it, however the vendor quotes it', () => {
  const said = [
    [`could not parse "${PROMPT}" as JSON`, PROMPT],
    [`near “${PROMPT.slice(10, 50)}”`, PROMPT],
    ['you said Hi Bob', 'Hi Bob'],
    [`in ${PROMPT}`, [{ type: 'text', text: PROMPT }]],
    [`${PROMPT} ${PROMPT}`, 'x'.repeat(50_000) + PROMPT],
  ] as const;
  for (const [internal, content] of said) {
    const clean = withoutEcho(internal, callOf(content).body);
    assert.match(clean, /\[…\]/, internal);
    for (const word of ['Erika', 'Heidestraße', 'Bob', 'Mustermann']) assert.ok(!clean.includes(word), clean);
  }
  const words = 'upstream failed: status 500, server_error: the model m is overloaded';
  assert.equal(withoutEcho(words, callOf('Tell me a story of a model').body), words);
  const huge = callOf('y'.repeat(300_000)).body;
  assert.equal(withoutEcho(`${'w'.repeat(79)} ${PROMPT}`, huge), `${'w'.repeat(79)} `);
});
