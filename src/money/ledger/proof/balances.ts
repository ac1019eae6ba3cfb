import type { Nano } from '@millrace/contract';
import { sql } from 'kysely';
import type { Store } from '../../../ground/store/index.ts';
import { partsOf } from '../accounts.ts';
import type { Findings } from './findings.ts';
import { NO_SUMS, type RequestSums, ROLLUP_SUMS, type RollupSums } from './requests.ts';
import type { Snapshot } from './snapshot.ts';
import type { ChainWalk } from './transactions.ts';

/** I2, I3: the projections against what they are projections of, and the floor of each wallet. */
export function checkBalances(
  { accounts }: Snapshot,
  { sums, overruns }: { readonly sums: ChainWalk['accounts']; readonly overruns: RequestSums['overruns'] },
  { expect }: Findings,
): void {
  for (const id of sums.keys()) expect('I2', accounts.has(id), () => `${id} has transactions and no account`);
  for (const account of accounts.values()) {
    const { id, kind, postedNano, heldNano, setAsideNano, minBalanceNano, uncoveredNano, lapsedNano } = account;
    const sum = sums.get(id) ?? 0n;
    const expected = kind === 'wallet' ? -sum : sum;
    expect('I2', postedNano === expected, () => `${id} shows ${postedNano}, its transactions come to ${expected}`);
    expect(
      'I2',
      heldNano === setAsideNano,
      () => `${id} holds ${heldNano}, its holds and leases come to ${setAsideNano}`,
    );
    if (kind !== 'wallet') continue;
    const overrunNano = overruns.get(id) ?? 0n;
    // What a node spent that was away for longer than its lease, while others spent the same money: never more than the lease.
    const lateNano = uncoveredNano < lapsedNano ? uncoveredNano : lapsedNano;
    const floor = minBalanceNano - overrunNano - lateNano;
    expect(
      'I3',
      uncoveredNano <= lapsedNano + overrunNano,
      () => `of ${id} nodes spent ${uncoveredNano} beyond their leases, of which ${lapsedNano} had lapsed`,
    );
    expect(
      'I3',
      postedNano - heldNano >= floor,
      () => `${id} stands at ${postedNano - heldNano}, its floor is ${floor}`,
    );
  }
}

/** I9: per currency, what was paid in is what was earned and what is left. */
export function checkConservation(sums: ChainWalk['accounts'], { expect }: Findings): void {
  const byCurrency = new Map<string, Record<'paid' | 'left' | 'earned', Nano>>();
  for (const [id, sum] of sums) {
    const { kind, currency } = partsOf(id);
    const total = byCurrency.get(currency) ?? { paid: 0n, left: 0n, earned: 0n };
    if (kind === 'cash' || kind === 'adjustment') total.paid += sum;
    else if (kind === 'wallet') total.left -= sum;
    else if (kind === 'revenue') total.earned -= sum;
    byCurrency.set(currency, total);
  }
  for (const [currency, { paid, left, earned }] of byCurrency)
    expect('I9', paid === left + earned, () => `${currency}: ${paid} paid in, ${earned} earned, ${left} left`);
}

/** Money in two parts: SQLite refuses a sum beyond int64. */
const PART = 1_000_000_000n;

/** I2, for the rollup: all that it says of each organization, of the hours that are over. */
export async function checkRollups(
  store: Store,
  { rollups }: RequestSums,
  { findings: { expect }, beforeUs }: { readonly findings: Findings; readonly beforeUs: bigint },
): Promise<void> {
  const rows = await store.reader
    .selectFrom('usage_hourly')
    .innerJoin('series', 'series.number', 'usage_hourly.series')
    .select(({ fn }) => [
      'organization_id',
      'currency',
      fn.sum<bigint>('requests').as('requests'),
      fn.sum<bigint>('failed').as('failed'),
      fn.sum<bigint>('input_tokens').as('input_tokens'),
      fn.sum<bigint>('cached_input_tokens').as('cached_input_tokens'),
      fn.sum<bigint>('output_tokens').as('output_tokens'),
      fn.sum<bigint>('reasoning_tokens').as('reasoning_tokens'),
      fn.sum<bigint>('costed').as('costed'),
      sql<bigint>`sum(revenue_nano / 1000000000 + revenue_carry * 1000000000)`.as('revenue'),
      sql<bigint>`sum(revenue_nano % 1000000000)`.as('revenue_rest'),
      sql<bigint>`sum(cost_nano / 1000000000 + cost_carry * 1000000000)`.as('cost'),
      sql<bigint>`sum(cost_nano % 1000000000)`.as('cost_rest'),
    ])
    .where('hour_us', '<', beforeUs)
    .groupBy(['organization_id', 'currency'])
    .execute();
  const found = new Map<string, RollupSums>(
    rows.map(({ organization_id, currency, revenue, revenue_rest, cost, cost_rest, ...counts }) => [
      `${organization_id} ${currency}`,
      {
        ...counts,
        revenue_nano: BigInt(revenue) * PART + BigInt(revenue_rest),
        cost_nano: BigInt(cost) * PART + BigInt(cost_rest),
      },
    ]),
  );
  for (const key of new Set([...rollups.keys(), ...found.keys()])) {
    const expected = rollups.get(key) ?? NO_SUMS;
    const row = found.get(key) ?? NO_SUMS;
    for (const name of ROLLUP_SUMS)
      expect(
        'I2',
        BigInt(row[name]) === expected[name],
        () => `the hours of ${key} say ${name} ${row[name]}, their requests ${expected[name]}`,
      );
  }
}
