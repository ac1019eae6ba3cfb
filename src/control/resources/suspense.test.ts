import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callJson, openTestPlane } from '../../../test/support/control-plane.ts';
import { readMetrics } from '../../../test/support/metrics.ts';
import { append, settlement } from '../../../test/support/records.ts';
import { openJournalClient } from '../../ground/journal/index.ts';

test('what could not be booked is an alarm until a person has looked: listed, shown, written off once', async t => {
  const plane = await openTestPlane();
  t.after(() => plane[Symbol.asyncDispose]());
  const { loader, journal } = plane.deps;
  const call = async (target: string, body?: object) => {
    const method = body ? 'POST' : 'GET';
    return callJson(plane.owner, `/api/v1/ledger/suspense${target}`, { method, ...(body ? { body } : {}) });
  };
  const alarms = async () => (await callJson(plane.owner, '/readyz')).body;
  const gauge = async () => {
    const text = await (await plane.owner.request('/metrics')).text();
    return readMetrics(text).get('millrace_ledger_suspense')?.samples[0]?.value;
  };
  assert.deepEqual((await call('')).body, { suspense: [] });
  assert.ok('connect' in journal && typeof journal.connect === 'function');
  const client = openJournalClient(journal.connect());
  await append(client, [settlement('nobody')]);
  client.close();
  await loader.flush();
  assert.deepEqual([loader.lag(), await gauge()], [0, 1]);
  assert.match(JSON.stringify(await alarms()), /"alarms":\["suspense:1"\]/);
  const shown = JSON.stringify((await call('/1')).body);
  assert.match(
    shown,
    /"kind":"settlement".*"requestId":"nobody".*no intent.*"end":null.*"records":\{"settlement":\{"id":"nobody"/,
  );
  assert.equal((await call('/1/book', {})).status, 409);
  assert.equal((await call('/1/dismiss', {})).status, 400);
  assert.equal((await call('/1/dismiss', { note: 'a test' })).status, 200);
  assert.equal((await call('/1/dismiss', { note: 'again' })).status, 409);
  assert.deepEqual(await gauge(), 0);
  assert.match(JSON.stringify(await alarms()), /"alarms":\[\]/);
  assert.deepEqual((await call('')).body, { suspense: [] });
  assert.match(JSON.stringify((await call('?all=true')).body), /"how":"dismissed",.*"note":"a test"/);
  for (const number of ['0', 'x', '99999999999999999999']) assert.equal((await call(`/${number}`)).status, 404);
});
