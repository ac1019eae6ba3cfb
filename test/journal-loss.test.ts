// The folder of the journal is taken away: the real server refuses to start as if nothing had been, unless it is told to.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newHome, startServer } from './support/server.ts';

test('after a kill, the start without its journal is refused; told to, it books the loss; after a stop nothing is lost', async t => {
  const { home, remove } = newHome();
  t.after(remove);
  const takeAway = () => rmSync(join(home, 'journal'), { recursive: true });
  const first = await startServer(home);
  await first.signal('SIGKILL');
  takeAway();
  await assert.rejects(startServer(home), /The journal of node .* is in no ledger.*--accept-journal-loss/);
  await assert.rejects(startServer(home, { MILLRACE_LANG: 'zh' }), /尚未入账.*--accept-journal-loss/);
  const told = await startServer(home, {}, ['--accept-journal-loss']);
  const listed = JSON.stringify((await told.cli('suspense', 'list')).json);
  assert.match(listed, /"kind":"journal-loss".*"end":null/);
  assert.match(await (await fetch(`${told.url}/readyz`)).text(), /"alarms":\["suspense:1"\]/);
  assert.equal((await told.cli('ledger', 'verify')).code, 0);
  assert.equal((await told.cli('suspense', 'dismiss', '1', '--note', 'nobody called')).code, 0);
  assert.equal(await told.signal('SIGTERM'), 0);
  takeAway();
  const again = await startServer(home);
  assert.match(await (await fetch(`${again.url}/readyz`)).text(), /"alarms":\[\]/);
  assert.equal(await again.signal('SIGTERM'), 0);
});
