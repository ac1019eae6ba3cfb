import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listJournal, openMoney } from '../../../test/support/money.ts';
import { note } from '../../../test/support/records.ts';
import { ENTRY_KIND, type JournalRecord } from '../../ground/journal/index.ts';
import { openStore } from '../../ground/store/index.ts';
import { verifyLedger } from '../ledger/index.ts';
import { rate } from '../pricing/index.ts';
import { recoverSettlement, settleOrphans } from './recover.ts';

const sell = {
  version: 'p',
  currency: 'CNY',
  effectiveFromMs: 0,
  rounding: 'ceil' as const,
  nanoPerMillion: { input: 4_000_000n, output: 16_000_000n },
};
const buy = { ...sell, version: 'c', nanoPerMillion: { input: 2_000_000n, output: 8_000_000n } };

test('recovered from the last note; without one free, and its cost unknown', async () => {
  await using store = await openStore({ file: ':memory:' });
  const money = await openMoney(store);
  const record = money.admit('a');
  const intent = record.kind === ENTRY_KIND.intent ? record.value : assert.fail();
  const recover = (progress: ReturnType<typeof note> | undefined) =>
    recoverSettlement(intent, { progress: progress?.value, price: sell, cost: buy, nowMs: intent.atMs + 5_000 });

  const counted = recover(note('a', 64, { inputTokens: 10 }));
  assert.deepEqual(
    [counted.outcome, counted.usageSource, counted.estimated, counted.durationMs, counted.amountNano],
    ['recovered', 'progress', true, 5_000, 40n + 1_024n],
  );
  assert.deepEqual([counted.attempts[0]?.costNano, counted.attempts[0]?.outcome], [20n + 512n, 'aborted']);

  assert.equal(counted.holdNano, 1_000_000n, 'a note never holds less than was held before');
  assert.equal(recover(note('a', 64, { holdNano: 2_000_000n })).holdNano, 2_000_000n);

  const nothing = recover(undefined);
  assert.deepEqual([nothing.usageSource, nothing.amountNano, nothing.estimated], ['none', 0n, false]);
  assert.equal(nothing.holdNano, 1_000_000n);
  assert.equal(nothing.attempts[0]?.costNano, undefined);

  const elsewhere = recover(note('a', 64, { deploymentId: 'mock-1-b' }));
  assert.deepEqual([elsewhere.attempts[0]?.deploymentId, elsewhere.attempts[0]?.costNano], ['mock-1-b', undefined]);
  assert.ok(elsewhere.amountNano > 0n);
});

test('killed again and again while it recovers: each request is settled once, and the books are right', async () => {
  await using store = await openStore({ file: ':memory:' });
  const money = await openMoney(store);
  await money.credit('acme', 10n ** 12n);
  const journal = listJournal();
  for (let index = 0; index < 20; index++) {
    journal.append(money.admit(`r${index}`));
    if (index % 2 === 0) journal.append(note(`r${index}`, index + 1));
  }
  const priceVersion = async (version: string) => [money.price, money.cost].find(each => each.version === version);
  let kills = 0;
  for (;;) {
    const loader = await money.createLoader(journal);
    await loader.flush();
    const open = await loader.openIntents();
    if (open.length === 0) break;
    // Of every start only some records reach the disk, and the answer of the last of them is lost.
    let room = 3;
    const append = async (record: JournalRecord) => {
      if (room-- > 0) journal.append(record);
      if (room <= 0) throw new Error('killed');
    };
    await settleOrphans(open, { priceVersion, append, nowMs: money.clock.nowMs, putAside: loader.putAside }).catch(
      error => {
        assert.match(String(error), /killed/);
        kills++;
      },
    );
  }
  assert.ok(kills >= 6);
  const rows = await store.db.selectFrom('requests').selectAll().execute();
  assert.equal(rows.length, 20);
  assert.deepEqual(
    rows.map(row => row.amount_nano > 0n),
    rows.map(({ id }) => Number(id.slice(1)) % 2 === 0),
  );
  const usage = { inputTokens: 1, cachedInputTokens: 0, outputTokens: 1, reasoningTokens: 0 };
  assert.equal(rows.find(({ id }) => id === 'r0')?.amount_nano, rate(usage, money.price).amountNano);
  const { nodeId, reader } = journal;
  assert.equal((await verifyLedger(store, { nodeId, reader, nowMs: money.clock.nowMs() })).ok, true);
});

test('a request whose price is not known, or whose cost cannot be told, is put aside, and recovery goes on', async () => {
  await using store = await openStore({ file: ':memory:' });
  const money = await openMoney(store);
  await money.credit('acme', 10n ** 12n);
  const journal = listJournal([money.admit('a'), money.admit('b'), note('b', 5), money.admit('c'), note('c', -5)]);
  const loader = await money.createLoader(journal);
  await loader.flush();
  const known = new Map([money.price, money.cost].map(price => [price.version, price]));
  const settle = async (priceVersion: (version: string) => Promise<typeof money.price | undefined>) => {
    const nowMs = money.clock.nowMs;
    const append = async (record: JournalRecord) => journal.append(record);
    return settleOrphans(await loader.openIntents(), { priceVersion, append, nowMs, putAside: loader.putAside });
  };
  let asked = 0;
  // The first has no price: as in a store that is another's.
  assert.equal(await settle(async version => (asked++ === 0 ? undefined : known.get(version))), 1);
  await loader.flush();
  assert.deepEqual([(await loader.openIntents()).length, loader.suspended()], [0, 2]);
  const rows = await store.db
    .selectFrom('suspense')
    .select(['kind', 'request_id', 'reason'])
    .orderBy('request_id')
    .execute();
  assert.deepEqual(
    rows.map(({ kind, request_id }) => `${kind} ${request_id}`),
    ['recovery a', 'recovery c'],
  );
  assert.match(rows[0]?.reason ?? '', /price version .* is not in the store/);
  const balance = await money.ledger.balances('acme');
  assert.equal(balance[0]?.heldNano, 0n, 'nothing is held for what is put aside');
  assert.equal((await store.db.selectFrom('requests').select('id').execute()).length, 1);
  const { nodeId, reader } = journal;
  const { invariants } = await verifyLedger(store, { nodeId, reader, nowMs: money.clock.nowMs() });
  assert.deepEqual(
    invariants.filter(({ ok }) => !ok),
    [],
  );
});
