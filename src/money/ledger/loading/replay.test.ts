import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { listJournal, openMoney, type TestMoney } from '../../../../test/support/money.ts';
import { note } from '../../../../test/support/records.ts';
import type { JournalRecord } from '../../../ground/journal/index.ts';
import { openStore, type Store } from '../../../ground/store/index.ts';
import { verifyLedger } from '../verify.ts';

const ORGANIZATIONS = ['acme', 'beta'];

/** All that must not change: the end of the chain, which covers every booking, and each projection. */
async function image(store: Store): Promise<unknown> {
  const { db } = store;
  return {
    head: await db.selectFrom('ledger_head').selectAll().execute(),
    chain: await db.selectFrom('chain').selectAll().orderBy('last_seq').execute(),
    balances: await db.selectFrom('balances').selectAll().orderBy('account_id').execute(),
    holds: await db.selectFrom('holds').selectAll().orderBy('request_id').execute(),
    requests: await db.selectFrom('requests').selectAll().orderBy('id').execute(),
    attempts: await db.selectFrom('attempts').selectAll().orderBy('seq').orderBy('number').execute(),
    series: await db.selectFrom('series').selectAll().orderBy('number').execute(),
    spend: await db.selectFrom('key_spend').selectAll().orderBy('key_id').orderBy('period').execute(),
    hours: await db.selectFrom('usage_hourly').selectAll().orderBy('series').orderBy('hour_us').execute(),
  };
}

async function prove(store: Store, journal: ReturnType<typeof listJournal>, nowMs: number): Promise<void> {
  const { invariants } = await verifyLedger(store, { nodeId: journal.nodeId, reader: journal.reader, nowMs });
  assert.deepEqual(
    invariants.filter(({ ok }) => !ok).map(({ id, detail }) => `${id}: ${detail}`),
    [],
  );
}

async function withMoney(work: (money: TestMoney, store: Store) => Promise<void>): Promise<void> {
  await using store = await openStore({ file: ':memory:' });
  const money = await openMoney(store);
  for (const id of ORGANIZATIONS) await money.credit(id, 10n ** 12n);
  await work(money, store);
}

/** Requests interleaved as threads write them; some have notes, some have not ended. */
const traffic = fc
  .array(
    fc.record({ notes: fc.nat(3), settled: fc.boolean(), at: fc.nat(1_000), length: fc.nat(300), who: fc.nat(1) }),
    { minLength: 1, maxLength: 30 },
  )
  .map(requests =>
    requests
      .flatMap(({ notes, settled, at, length, who }, index) => [
        { at, index, who, what: 'admit' as const, tokens: 0 },
        ...Array.from({ length: notes }, (_, count) => ({
          at: at + (length * (count + 1)) / 5,
          index,
          who,
          what: 'note' as const,
          tokens: 10 * (count + 1),
        })),
        ...(settled ? [{ at: at + length, index, who, what: 'settle' as const, tokens: index }] : []),
      ])
      // Stable, so that each request stays in order.
      .toSorted((a, b) => a.at - b.at),
  );
type Traffic = typeof traffic extends fc.Arbitrary<infer T> ? T : never;

function recordsOf(money: TestMoney, events: Traffic): readonly JournalRecord[] {
  return events.map(({ index, who, what, tokens }) => {
    const id = `r${String(index).padStart(3, '0')}`;
    if (what === 'admit') return money.admit(id, 1_000_000n, ORGANIZATIONS[who]);
    if (what === 'note') return note(id, tokens, { holdNano: BigInt(tokens) * 100_000n });
    return money.settle(id, { outputTokens: tokens });
  });
}

test('a prefix, a suffix, duplicates and any order of a loaded journal change nothing (I5)', async () => {
  await fc.assert(
    fc.asyncProperty(
      traffic,
      fc.infiniteStream(fc.nat(1_000_000)),
      fc.constantFrom('prefix', 'suffix', 'doubled', 'shuffled', 'picked'),
      async (events, random, how) => {
        await withMoney(async (money, store) => {
          const records = recordsOf(money, events);
          const journal = listJournal(records);
          await (await money.createLoader(journal)).flush();
          await prove(store, journal, money.clock.nowMs());
          const before = await image(store);
          const draw = (below: number) => (random.next().value ?? 0) % Math.max(1, below);
          const cut = draw(records.length + 1);
          const again = {
            prefix: () => records.slice(0, cut),
            suffix: () => records.slice(cut),
            doubled: () => records.flatMap(record => [record, record]),
            shuffled: () =>
              records
                .map(record => ({ record, at: draw(1_000_000) }))
                .toSorted((a, b) => a.at - b.at)
                .map(({ record }) => record),
            picked: () =>
              Array.from({ length: records.length * 2 }, () => records[draw(records.length)] ?? assert.fail()),
          }[how]();
          await store.db.updateTable('journal_cursor').set({ seq: 0n }).execute();
          await (await money.createLoader(listJournal(again))).flush();
          assert.deepEqual(await image(store), before);
        });
      },
    ),
    { numRuns: 60 },
  );
});

/** What a random life of a node is made of. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('admit' as const), who: fc.nat(1), hold: fc.nat(3_000_000) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('note' as const), which: fc.nat(), tokens: fc.nat(100) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('settle' as const), which: fc.nat(), tokens: fc.nat(100) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('credit' as const),
      who: fc.nat(1),
      nano: fc.bigInt(-2_000_000n, 2_000_000n),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), flushed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(100, 5_000, 700_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refund' as const), which: fc.nat() }) },
);

test('any life of a node leaves the books right, and equal to a plain sum', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      await withMoney(async (money, store) => {
        const journal = listJournal();
        const left = new Map(ORGANIZATIONS.map(id => [id, 10n ** 12n]));
        const running: { id: string; organizationId: string }[] = [];
        const ended: { id: string; organizationId: string; nano: bigint }[] = [];
        const refunded = new Set<string>();
        let loader = await money.createLoader(journal);
        let count = 0;
        for (const each of steps) {
          if (each.kind === 'admit') {
            const request = {
              id: `r${String(++count).padStart(4, '0')}`,
              organizationId: ORGANIZATIONS[each.who] ?? '',
            };
            journal.append(money.admit(request.id, BigInt(each.hold), request.organizationId));
            running.push(request);
          } else if (each.kind === 'note') {
            const request = running[each.which % Math.max(1, running.length)];
            if (request) journal.append(note(request.id, each.tokens, { holdNano: BigInt(each.tokens) * 50_000n }));
          } else if (each.kind === 'settle') {
            const [request] = running.splice(each.which % Math.max(1, running.length), 1);
            if (!request) continue;
            const record = money.settle(request.id, { outputTokens: each.tokens });
            journal.append(record);
            const nano = record.kind === 3 ? record.value.amountNano : 0n;
            left.set(request.organizationId, (left.get(request.organizationId) ?? 0n) - nano);
            ended.push({ ...request, nano });
          } else if (each.kind === 'credit') {
            const id = ORGANIZATIONS[each.who] ?? '';
            if (each.nano !== 0n && (await money.credit(id, each.nano))) left.set(id, (left.get(id) ?? 0n) + each.nano);
          } else if (each.kind === 'refund') {
            const request = ended[each.which % Math.max(1, ended.length)];
            if (!request) continue;
            await loader.flush();
            const done = await store.transaction(trx => money.ledger.refund(trx, { requestId: request.id, note: '' }));
            assert.equal(done, !refunded.has(request.id));
            if (done) left.set(request.organizationId, (left.get(request.organizationId) ?? 0n) + request.nano);
            refunded.add(request.id);
          } else if (each.kind === 'wait') {
            money.clock.advance(each.ms);
            loader.start();
            while (loader.lag() > 0) await new Promise(resolve => setImmediate(resolve));
            await loader.stop();
          } else {
            if (each.kind === 'flush' || each.flushed) await loader.flush();
            if (each.kind === 'restart') loader = await money.createLoader(journal);
          }
        }
        await loader.flush();
        for (const [id, nano] of left) {
          const [wallet] = await money.ledger.balances(id);
          assert.equal(wallet?.balanceNano, nano);
        }
        assert.deepEqual(
          (await loader.openIntents()).map(({ intent }) => intent.id).toSorted(),
          running.map(({ id }) => id).toSorted(),
        );
        await prove(store, journal, money.clock.nowMs());
      });
    }),
    // The request's time is over before the loader first reads it.
    {
      numRuns: 60,
      examples: [
        [
          [
            { kind: 'admit', who: 0, hold: 0 },
            { kind: 'wait', ms: 700_000 },
          ],
        ],
      ],
    },
  );
});
