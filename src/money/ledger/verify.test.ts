import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql } from 'kysely';
import { type ListJournal, listJournal, openMoney } from '../../../test/support/money.ts';
import { attempt, note } from '../../../test/support/records.ts';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { ENTRY_KIND, type JournalRecord } from '../../ground/journal/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { type PriceVersion, rate } from '../pricing/index.ts';
import { amountBy } from './proof/price-figures.ts';
import { verifyLedger } from './verify.ts';

const stores = testStores();
const FACTS = ['series', 'transfers', 'chain', 'requests', 'attempts', 'price_versions'];

/** A ledger with a bit of everything: credits, requests of an hour ago and of now, one of two calls, a running one. */
async function fill(store: Store): Promise<{ journal: ListJournal; nowMs: number }> {
  const money = await openMoney(store);
  await money.credit('acme', 10_000_000n);
  await money.credit('acme', -1_000_000n);
  const journal = listJournal();
  for (const id of ['a', 'b', 'c']) journal.append(money.admit(id), money.settle(id));
  money.clock.advance(3 * 3_600_000);
  journal.append(money.admit('d'), money.settle('d'), money.admit('e'), note('e', 3));
  journal.append(money.admit('f'), fallenBack(disputed(money.settle('f'), money.cost)));
  await (await money.createLoader(journal)).flush();
  return { journal, nowMs: money.clock.nowMs() };
}

/** Settled by a second call, after a first one that was charged nothing. */
function fallenBack(record: JournalRecord): JournalRecord {
  if (record.kind !== ENTRY_KIND.settlement) return assert.fail();
  const [call] = record.value.attempts;
  const first = attempt({
    usage: NOTHING,
    status: 502,
    outcome: 'failed',
    costNano: 0n,
    costVersion: call?.costVersion ?? '',
  });
  return { ...record, value: { ...record.value, attempts: [first, { ...(call ?? first), number: 2 }] } };
}
/** Its upstream claims five tokens of input and a hundred of output beyond. */
function disputed(record: JournalRecord, cost: PriceVersion): JournalRecord {
  if (record.kind !== ENTRY_KIND.settlement) return assert.fail();
  const { usage, attempts } = record.value;
  const claimed = { ...usage, inputTokens: usage.inputTokens + 5, outputTokens: usage.outputTokens + 100 };
  const costNano = rate(claimed, cost).amountNano - rate(usage, cost).amountNano;
  const claims = { inputTokens: 5, outputTokens: 100, costNano };
  return { ...record, value: { ...record.value, attempts: attempts.map(call => ({ ...call, disputed: claims })) } };
}
const NOTHING = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };

async function broken(store: Store, { journal, nowMs }: { journal: ListJournal; nowMs: number }) {
  const { nodeId, reader } = journal;
  const { ok, invariants } = await verifyLedger(store, { nodeId, reader, nowMs });
  const found = invariants.filter(invariant => !invariant.ok);
  assert.equal(ok, found.length === 0);
  return found;
}

/** Takes the guards off, as somebody with the database's password can. */
async function unguard(store: Store): Promise<void> {
  for (const table of FACTS) {
    if (store.dialect === 'postgres') await sql.raw(`alter table ${table} disable trigger all`).execute(store.db);
    else for (const verb of ['update', 'delete']) await sql.raw(`drop trigger ${table}_no_${verb}`).execute(store.db);
  }
}

const DISPUTE = 'where disputed_nano is not null';
const HARMS: readonly { readonly name: string; readonly harm: string; readonly ids: readonly string[] }[] = [
  {
    name: 'a cost in dispute that was raised',
    harm: `update attempts set disputed_nano = disputed_nano + 1 ${DISPUTE}`,
    ids: ['I8', 'I5'],
  },
  {
    name: 'a claim that was lowered',
    harm: `update attempts set disputed_output_tokens = 1 ${DISPUTE}`,
    ids: ['I8', 'I5'],
  },
  {
    name: 'a claim that is none',
    harm: `update attempts set disputed_input_tokens = -5 ${DISPUTE}`,
    ids: ['I8', 'I11', 'I5'],
  },
  {
    name: 'a transfer that was raised',
    harm: `update transfers set amount_nano = amount_nano + 1 where seq = 1`,
    ids: ['I2', 'I5'],
  },
  {
    name: 'a transfer that comes to where it left',
    harm: `update transfers set credit = debit where seq = 1`,
    ids: ['I1', 'I2', 'I5'],
  },
  {
    name: 'a transfer between two currencies',
    harm: `update transfers set credit = 'wallet:acme:USD' where seq = 1`,
    ids: ['I1', 'I2', 'I5', 'I9'],
  },
  {
    name: 'a transfer of an unknown kind',
    harm: `update transfers set kind = 'usage' where seq = 1`,
    ids: ['I1', 'I5'],
  },
  {
    name: 'a transfer under the number of a request',
    harm: `update transfers set seq = 3 where seq = 8`,
    ids: ['I2', 'I4', 'I5', 'I10'],
  },
  {
    name: 'a balance',
    harm: `update balances set posted_nano = posted_nano + 1 where account_id = 'wallet:acme:CNY'`,
    ids: ['I2'],
  },
  {
    name: 'a held amount',
    harm: `update balances set held_nano = held_nano + 1 where account_id = 'wallet:acme:CNY'`,
    ids: ['I2'],
  },
  {
    name: 'a wallet overspent',
    harm: `update accounts set min_balance_nano = 9000000 where id = 'wallet:acme:CNY'`,
    ids: ['I3'],
  },
  { name: 'a request that is gone', harm: `delete from requests where id = 'b'`, ids: ['I2', 'I4', 'I5', 'I6', 'I10'] },
  { name: 'a hold that is gone', harm: `delete from holds where request_id = 'e'`, ids: ['I2', 'I4'] },
  {
    name: 'a hold of a settled request',
    harm: `update holds set request_id = 'a' where request_id = 'e'`,
    ids: ['I4'],
  },
  { name: 'an overdue hold', harm: `update holds set expires_us = 1`, ids: ['I4'] },
  {
    name: 'a request under another id',
    harm: `update requests set id = 'z' where id = 'b'`,
    ids: ['I4', 'I5', 'I6'],
  },
  { name: 'a note that was changed', harm: `update transfers set note = 'x' where seq = 1`, ids: ['I5'] },
  { name: 'a transfer that is gone', harm: `delete from transfers where seq = 2`, ids: ['I2', 'I5'] },
  { name: 'the newest transfers gone', harm: `delete from transfers where seq > 2`, ids: ['I2', 'I5', 'I10'] },
  { name: 'a link that is gone', harm: `delete from chain where last_seq = 1`, ids: ['I5'] },
  { name: 'the newest link gone', harm: `delete from chain where last_seq > 2`, ids: ['I5'] },
  { name: 'a link that was changed', harm: `update chain set hash = 'x' where last_seq = 1`, ids: ['I5'] },
  {
    name: 'a series of another organization',
    harm: `update series set organization_id = 'beta' where number = 1`,
    ids: ['I2', 'I4', 'I5'],
  },
  {
    name: 'a series in another currency',
    harm: `update series set currency = 'USD' where number = 1`,
    ids: ['I2', 'I5', 'I6', 'I8'],
  },
  {
    name: 'a series at another price',
    harm: `update series set price_version = cost_version where number = 1`,
    ids: ['I6', 'I8', 'I5'],
  },
  { name: 'a cursor beyond the journal', harm: `update journal_cursor set seq = 99`, ids: ['I5'] },
  {
    name: 'a settlement changed in the ledger',
    harm: `update requests set output_tokens = 8 where id = 'a'`,
    ids: ['I6', 'I8', 'I5', 'I2'],
  },
  {
    name: 'an attempt of nobody',
    harm: `update attempts set seq = 1`,
    ids: ['I7', 'I10', 'I5'],
  },
  {
    name: 'an amount',
    harm: `update requests set amount_nano = amount_nano - 1 where id = 'c'`,
    ids: ['I2', 'I5', 'I6', 'I8'],
  },
  {
    name: 'what was held',
    harm: `update requests set held_nano = held_nano - 1 where id = 'c'`,
    ids: ['I6', 'I5'],
  },
  {
    name: 'a cost',
    harm: `update requests set cost_nano = cost_nano + 1 where id = 'c'`,
    ids: ['I8', 'I10', 'I5', 'I2'],
  },
  { name: 'a call that is gone', harm: `delete from attempts where number = 1`, ids: ['I7', 'I5'] },
  {
    name: 'a cost of one of two calls',
    harm: `update attempts set cost_nano = cost_nano + 1 where number = 2`,
    ids: ['I8', 'I10', 'I5'],
  },
  {
    name: 'a price',
    harm: `update price_versions set content = replace(content, '4000000000', '3000000000')`,
    ids: ['I8'],
  },
  {
    name: 'a count out of range',
    harm: `update requests set input_tokens = 2000000000, cached_input_tokens = 2000000001 where id = 'a'`,
    ids: ['I6', 'I8', 'I11', 'I5', 'I2'],
  },
  ...[
    `status = 503`,
    `fault_code = 'internal'`,
    `usage_source = 'counted'`,
    `estimated = 1`,
    `input_tokens_max = 7`,
    `output_tokens_max = 7`,
    `ttft_ms = 9`,
    `duration_ms = 9`,
    `call_status = 500`,
    `call_ms = 9`,
    `upstream_request_id = 'x'`,
  ].map(change => ({ name: change, harm: `update requests set ${change} where id = 'a'`, ids: ['I5'] })),
  ...[`status = 500`, `upstream_request_id = 'x'`, `duration_ms = 9`].map(change => ({
    name: `of a call, ${change}`,
    harm: `update attempts set ${change} where number = 1`,
    ids: ['I5'],
  })),
  ...['project_id', 'key_id', 'operation', 'model', 'deployment_id'].map(column => ({
    name: `${column} of a series`,
    harm: `update series set ${column} = 'x' where number = 1`,
    ids: ['I5'],
  })),
  {
    name: 'reasoning that was left out',
    harm: `update requests set reasoning_tokens = 0 where id = 'a'`,
    ids: ['I2', 'I5'],
  },
  {
    name: 'a request of another series',
    harm: `update requests set series = (select max(number) from series) where id = 'a'`,
    ids: ['I5', 'I8'],
  },
  ...['failed', 'input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_tokens', 'cost_nano', 'costed'].map(
    column => ({
      name: `${column} of an hour of the rollup`,
      harm: `update usage_hourly set ${column} = ${column} + 1`,
      ids: ['I2'],
    }),
  ),
  { name: 'an hour of the rollup', harm: `update usage_hourly set requests = requests + 1`, ids: ['I2'] },
];

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('what is right is proven, and each invariant has looked at something', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const filled = await fill(store);
      assert.deepEqual(await broken(store, filled), []);
      const { nodeId, reader } = filled.journal;
      const { invariants } = await verifyLedger(store, { nodeId, reader, nowMs: filled.nowMs });
      assert.deepEqual(
        invariants.map(({ id }) => id),
        Array.from({ length: 11 }, (_, index) => `I${index + 1}`),
      );
      for (const { id, checked, title } of invariants) {
        assert.ok(checked > 0, `${id} looked at nothing`);
        assert.ok(title.en.length > 10 && /[\u4e00-\u9fff]/.test(title.zh));
      }
    });

    test('postings tell the whole ledger, line by line', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      await fill(store);
      const { rows } = await sql<{ id: string; posted: bigint; sum: bigint | null }>`
        select b.account_id as id, posted_nano as posted, (select sum(amount_nano) from postings p where p.account_id = b.account_id) as sum
        from balances b where posted_nano <> 0`.execute(store.db);
      assert.deepEqual(
        rows.map(({ id, sum }) => [id, id.startsWith('wallet:') ? -BigInt(sum ?? 0n) : BigInt(sum ?? 0n)]),
        rows.map(({ id, posted }) => [id, posted]),
      );
      assert.ok(rows.length >= 6);
      const open =
        await sql`select seq from postings group by seq having sum(amount_nano) <> 0 or count(*) <> 2`.execute(
          store.db,
        );
      assert.equal(open.rows.length, 0);
    });

    for (const { name, harm, ids } of HARMS) {
      test(`found: ${name}`, async t => {
        const store = await stores.open(dialect, t);
        if (!store) return;
        const filled = await fill(store);
        await unguard(store);
        const { numAffectedRows } = await sql.raw(harm).execute(store.db);
        assert.notEqual(numAffectedRows, 0n, 'something was harmed');
        const found = await broken(store, filled);
        assert.deepEqual(found.map(({ id }) => id).toSorted(), ids.toSorted());
        for (const { detail } of found) assert.notEqual(detail, '');
      });
    }

    test('a wallet may be overspent by what answers cost above what was held at their end, and by no more', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const money = await openMoney(store);
      await money.credit('acme', 1_000_000n);
      const journal = listJournal([
        // Grew until it covered its answer, in notes that were lost; then one that cost more than could be held.
        money.admit('a', 100_000n),
        money.settle('a', { outputTokens: 50 }, { holdNano: 900_000n }),
        money.admit('b', 100_000n),
        money.settle('b', { outputTokens: 50 }, { holdNano: 100_000n }),
      ]);
      await (await money.createLoader(journal)).flush();
      const [, b] = await store.db.selectFrom('requests').select('amount_nano').orderBy('id').execute();
      const [wallet] = await money.ledger.balances('acme');
      const over = (b?.amount_nano ?? 0n) - 100_000n;
      assert.ok(wallet && b && over > 0n);
      const floorAt = async (nano: bigint) => {
        await store.db.updateTable('accounts').set({ min_balance_nano: nano }).where('kind', '=', 'wallet').execute();
        return (await broken(store, { journal, nowMs: money.clock.nowMs() })).map(({ id }) => id);
      };
      assert.deepEqual(await floorAt(wallet.balanceNano + over), []);
      assert.deepEqual(await floorAt(wallet.balanceNano + over + 1n), ['I3']);
    });

    test('a settlement that is gone is found however old it is', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const money = await openMoney(store);
      await money.credit('acme', 10_000_000n);
      const journal = listJournal([money.admit('old'), money.settle('old'), money.admit('running')]);
      for (let count = 1; count <= 100_000; count++) journal.append(note('running', count));
      await (await money.createLoader(journal)).flush();
      const filled = { journal, nowMs: money.clock.nowMs() };
      assert.deepEqual(await broken(store, filled), []);
      await unguard(store);
      await sql`delete from requests`.execute(store.db);
      assert.ok((await broken(store, filled)).some(({ id }) => id === 'I6'));
    });

    test('an empty ledger is right', async t => {
      const store = await stores.open(dialect, t);
      if (store) assert.deepEqual(await broken(store, { journal: listJournal(), nowMs: Date.now() }), []);
    });
  });
}

test('the second way to an amount: each rounding, on and beside the half', () => {
  const price = { currency: 'CNY', cached: undefined, output: 0n };
  const usage = (input_tokens: bigint) => ({ input_tokens, cached_input_tokens: 0n, output_tokens: 0n });
  for (const [input, tokens, up, nearest] of [
    [1n, 1n, 1n, 0n],
    [500_000n, 1n, 1n, 0n],
    [500_001n, 1n, 1n, 1n],
    [500_000n, 3n, 2n, 2n],
    [500_000n, 5n, 3n, 2n],
    [1_000_000n, 7n, 7n, 7n],
    [10n ** 15n, 10n ** 9n, 10n ** 18n, 10n ** 18n],
  ] as const) {
    assert.equal(amountBy({ ...price, input, halfEven: false }, usage(tokens)), up);
    assert.equal(amountBy({ ...price, input, halfEven: true }, usage(tokens)), nearest);
  }
});
