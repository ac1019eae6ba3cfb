import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { listJournal, openMoney, testClock } from '../../../test/support/money.ts';
import { attempt, intent, settlement } from '../../../test/support/records.ts';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { type Attempt, NO_USAGE } from '../../ground/journal/index.ts';
import { createUuid7 } from '../../ground/std/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { readUsage } from './usage.ts';
import { readUsageGroups, type UsageBy, type UsageFilter } from './usage-sums.ts';

const stores = testStores();
const HOUR = 3_600_000;
const START = 472_222 * HOUR;

interface Made {
  readonly id: string;
  readonly organizationId: string;
  readonly atMs: number;
  readonly projectId: string;
  readonly keyId: `key_${string}`;
  readonly model: string;
  readonly failed: boolean;
  readonly tokens: number;
  readonly nano: bigint;
  /** Undefined: not known, or in another currency. */
  readonly costNano: bigint | undefined;
}

/** Some hundred requests over three hours, some on the hour to the millisecond. */
async function plant(store: Store): Promise<readonly Made[]> {
  const clock = testClock(START);
  const money = await openMoney(store, clock);
  const newId = createUuid7(clock.nowMs);
  const journal = listJournal();
  const made: Made[] = [];
  for (let index = 0; index < 180; index++) {
    const id = newId();
    const each: Made = {
      id,
      organizationId: index === 100 ? 'other' : 'acme',
      atMs: clock.nowMs() + (index % 7) * 1_000,
      projectId: index % 3 === 0 ? 'web' : 'app',
      keyId: index % 5 === 0 ? 'key_a' : 'key_b',
      model: index % 4 === 0 ? 'small' : 'large',
      failed: index % 11 === 0,
      tokens: index,
      nano: BigInt(index) * 1_000n,
      costNano: index % 6 === 0 ? undefined : BigInt(index) * 600n,
    };
    made.push(each);
    const { organizationId, projectId, keyId, model } = each;
    journal.append(intent(id, 10n ** 6n, { projectId, keyId, model, organizationId }));
    const [template] = [settlement(id)];
    const attempt = template.kind === 3 ? template.value.attempts[0] : undefined;
    journal.append(
      settlement(id, {
        atMs: each.atMs,
        outcome: each.failed ? 'failed' : 'ok',
        usage: { inputTokens: index, cachedInputTokens: 0, outputTokens: 2 * index, reasoningTokens: index },
        amountNano: each.nano,
        attempts: attempt
          ? [{ ...attempt, costNano: each.costNano ?? 5n, costCurrency: each.costNano === undefined ? 'USD' : 'CNY' }]
          : [],
      }),
    );
    clock.advance(60_000);
  }
  await (await money.createLoader(journal)).flush();
  for (const id of ['acme', 'other']) {
    const row = { id, name: id, weight: 1n, suspended: 0n, created_us: 0n, revision: 0n };
    await store.db.insertInto('organizations').values(row).execute();
  }
  return made;
}

const within = (query: UsageFilter) => (each: Made) =>
  (query.organizationId === undefined || each.organizationId === query.organizationId) &&
  each.atMs >= (query.fromMs ?? 0) &&
  each.atMs < (query.toMs ?? Number.POSITIVE_INFINITY) &&
  (query.projectId === undefined || each.projectId === query.projectId) &&
  (query.keyId === undefined || each.keyId === query.keyId) &&
  (query.model === undefined || each.model === query.model);

const sum = (values: readonly bigint[]) => values.reduce((total, value) => total + value, 0n);

const queries: fc.Arbitrary<UsageFilter> = fc.record(
  {
    organizationId: fc.constantFrom('acme', 'other'),
    fromMs: fc.oneof(
      fc.integer({ min: -HOUR, max: 4 * HOUR }).map(ms => START + ms),
      fc.nat(3).map(hours => START + hours * HOUR),
    ),
    toMs: fc.oneof(
      fc.integer({ min: -HOUR, max: 4 * HOUR }).map(ms => START + ms),
      fc.nat(3).map(hours => START + hours * HOUR),
    ),
    projectId: fc.constantFrom('web', 'app'),
    keyId: fc.constantFrom('key_a', 'key_b', 'key_none'),
    model: fc.constantFrom('small', 'large'),
  },
  { requiredKeys: [], noNullPrototype: true },
);

const iso = ({ atMs }: Made) => new Date(atMs).toISOString();
const BY: readonly (readonly [by: UsageBy, groupOf: (each: Made) => string])[] = [
  ['organization', ({ organizationId }) => organizationId],
  ['project', ({ organizationId, projectId }) => `${organizationId}/${projectId}`],
  ['key', ({ keyId }) => keyId],
  ['model', ({ model }) => model],
  ['hour', each => `${iso(each).slice(0, 13)}Z`],
  ['day', each => iso(each).slice(0, 10)],
  ['month', each => iso(each).slice(0, 7)],
];

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    test('a try in another currency: each cost is told in its own, and no margin is made of what is not known', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const clock = testClock(START);
      const money = await openMoney(store, clock);
      const journal = listJournal();
      const used = (costCurrency: string, costNano: bigint) => attempt({ costCurrency, costNano });
      const free = attempt({ costCurrency: 'USD', costNano: 0n, outcome: 'failed', usage: NO_USAGE });
      const { costNano: _cost, costCurrency: _currency, costVersion: _version, ...unknown } = attempt();
      const cases: readonly [id: string, attempts: readonly Attempt[], costs: string[], margin: bigint | null][] = [
        ['one', [used('CNY', 40n)], ['CNY 40'], 60n],
        ['failed for nothing in USD', [free, used('CNY', 40n)], ['CNY 40'], 60n],
        ['failed for something in USD', [used('USD', 7n), used('CNY', 40n)], ['CNY 40', 'USD 7'], null],
        ['answered in USD alone', [used('USD', 7n)], ['USD 7'], null],
        ['failed for nobody knows what', [unknown, used('CNY', 40n)], ['CNY 40'], null],
        ['nobody knows what', [unknown], [], null],
      ];
      for (const [id, attempts] of cases) {
        journal.append(intent(id, 10n ** 6n, { organizationId: 'acme' }));
        const numbered = attempts.map((each, index) => ({ ...each, number: index + 1 }));
        journal.append(settlement(id, { atMs: START, amountNano: 100n, attempts: numbered }));
      }
      await (await money.createLoader(journal)).flush();
      const { totals, lines } = await readUsage(store, { organizationId: 'acme', limit: 100 });
      for (const [id, , costs, margin] of cases) {
        const line = lines.find(({ requestId }) => requestId === id);
        assert.deepEqual(
          line?.costs.map(({ currency, nano }) => `${currency} ${nano}`),
          costs,
          id,
        );
        assert.equal(line && line.costNano !== null ? line.amountNano - line.costNano : null, margin, id);
      }
      const [total] = totals;
      assert.deepEqual(
        [total?.revenueNano, total?.costedRevenueNano, total?.costNano, total?.costedRequests],
        [600n, 200n, 80n, 2],
      );
    });

    test('totals are exact for any span and filter, pages give each line once', async t => {
      const store = await stores.open(dialect, t);
      if (!store) return;
      const made = await plant(store);
      await fc.assert(
        fc.asyncProperty(queries, fc.integer({ min: 1, max: 200 }), async (query, limit) => {
          const expected = made.filter(within(query));
          const lines = [];
          for (let cursor: string | undefined; ; ) {
            const page = await readUsage(store, { ...query, limit, cursor });
            lines.push(...page.lines);
            const [total] = page.totals;
            assert.deepEqual(
              total && [total.requests, total.failed, total.inputTokens, total.outputTokens, total.reasoningTokens],
              expected.length === 0
                ? undefined
                : [
                    expected.length,
                    expected.filter(({ failed }) => failed).length,
                    expected.reduce((tokens, each) => tokens + each.tokens, 0),
                    expected.reduce((tokens, each) => tokens + 2 * each.tokens, 0),
                    expected.reduce((tokens, each) => tokens + each.tokens, 0),
                  ],
            );
            const costed = expected.flatMap(({ costNano }) => (costNano === undefined ? [] : [costNano]));
            assert.deepEqual(
              [total?.revenueNano ?? 0n, total?.costNano ?? 0n, total?.costedRequests ?? 0],
              [sum(expected.map(({ nano }) => nano)), sum(costed), costed.length],
            );
            const known = expected.filter(({ costNano }) => costNano !== undefined);
            assert.equal(total?.costedRevenueNano ?? 0n, sum(known.map(({ nano }) => nano)));
            if (page.next === null) break;
            cursor = page.next;
          }
          assert.deepEqual(
            lines.map(({ requestId, amountNano, costNano }) => [requestId, amountNano, costNano]),
            expected.toReversed().map(({ id, nano, costNano }) => [id, nano, costNano ?? null]),
          );
        }),
        { numRuns: dialect === 'sqlite' ? 40 : 15 },
      );
      await fc.assert(
        fc.asyncProperty(queries, fc.constantFrom(...BY), async (query, [by, groupOf]) => {
          const expected = Map.groupBy(made.filter(within(query)), groupOf);
          assert.deepEqual(
            (await readUsageGroups(store, query, by)).map(
              ({ group, requests, outputTokens, revenueNano, costNano }) => [
                group,
                requests,
                outputTokens,
                revenueNano,
                costNano,
              ],
            ),
            [...expected]
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
              .map(([group, all]) => [
                group,
                all.length,
                all.reduce((tokens, each) => tokens + 2 * each.tokens, 0),
                sum(all.map(({ nano }) => nano)),
                sum(all.flatMap(({ costNano }) => costNano ?? [])),
              ]),
          );
        }),
        { numRuns: dialect === 'sqlite' ? 60 : 20 },
      );
    });
  });
}
