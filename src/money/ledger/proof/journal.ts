import { setImmediate as nextTurn } from 'node:timers/promises';
import { ENTRY_KIND, type JournalReader, type Settlement } from '../../../ground/journal/index.ts';
import { Fault } from '../../../ground/std/index.ts';
import type { Store } from '../../../ground/store/index.ts';
import type { Findings } from './findings.ts';
import { type RequestRow, selectRequests } from './pages.ts';

/** Entries of one look: a few milliseconds of this thread. */
const PAGE = 500;
/** Holds are given back once a second; a minute late says that nobody does. */
const OVERDUE_US = 60_000_000n;

/** The journal against the ledger: I4 (every intent), I5 (cursor, gaps, checksums), I6 (every settlement). */
export async function checkJournal(
  store: Store,
  {
    findings,
    nodeId,
    reader,
  }: {
    readonly findings: Findings;
    readonly nodeId: string;
    readonly reader: JournalReader;
  },
): Promise<void> {
  const { expect } = findings;
  const cursor = await store.reader
    .selectFrom('journal_cursor')
    .select('seq')
    .where('node_id', '=', nodeId)
    .executeTakeFirst();
  const loaded = Number(cursor?.seq ?? 0n);
  const last = reader.lastSeq();
  expect('I5', loaded <= last, () => `the ledger has loaded entry ${loaded}, the journal ends at ${last}`);
  // All that there is, the archive too: what a store lost that was put back may lie anywhere.
  let seq = Math.max(reader.firstSeq() - 1, 0);
  try {
    while (seq < loaded) {
      const entries = reader.read(seq, Math.min(PAGE, loaded - seq));
      const next = entries.at(-1)?.seq;
      expect('I5', next !== undefined, () => `entry ${seq + 1} of the journal was loaded and is not there`);
      if (next === undefined) return;
      const intents: string[] = [];
      const settlements: Settlement[] = [];
      for (const { record } of entries) {
        if (record.kind === ENTRY_KIND.intent) intents.push(record.value.id);
        else if (record.kind === ENTRY_KIND.settlement) settlements.push(record.value);
      }
      await checkEnds(store, { findings, intents, settlements });
      seq = next;
      await nextTurn();
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect('I5', false, () => error.message);
  }
}

async function checkEnds(
  store: Store,
  {
    findings: { expect },
    intents,
    settlements,
  }: { readonly findings: Findings; readonly intents: readonly string[]; readonly settlements: readonly Settlement[] },
): Promise<void> {
  const ids = [...new Set([...intents, ...settlements.map(({ id }) => id)])];
  if (ids.length === 0) return;
  const { reader } = store;
  // Holds first: a request that is settled between the two looks is in the second.
  const held = new Set(
    (await reader.selectFrom('holds').select('request_id').where('request_id', 'in', ids).execute()).map(
      ({ request_id }) => request_id,
    ),
  );
  // What could not be booked is with a person.
  const aside = await reader
    .selectFrom('suspense')
    .select(['request_id', 'kind'])
    .where('request_id', 'in', ids)
    .execute();
  for (const { request_id } of aside) held.add(request_id);
  const unsettled = new Set(aside.filter(({ kind }) => kind !== 'hold').map(({ request_id }) => request_id));
  const rows = new Map((await selectRequests(store).where('id', 'in', ids).execute()).map(row => [row.id, row]));
  for (const id of intents)
    expect('I4', rows.has(id) || held.has(id), () => `request ${id} was admitted, and neither settled nor held`);
  for (const settlement of settlements) {
    const row = rows.get(settlement.id);
    expect(
      'I6',
      row ? isSame(row, settlement) : unsettled.has(settlement.id),
      () => `the settlement of ${settlement.id} is in the journal and ${row ? 'another' : 'not'} in the ledger`,
    );
  }
}

function isSame(row: RequestRow, settlement: Settlement): boolean {
  const { amountNano, currency, priceVersion, usage, outcome, holdNano } = settlement;
  return (
    row.held_nano === holdNano &&
    row.amount_nano === amountNano &&
    row.currency === currency &&
    row.price_version === priceVersion &&
    row.outcome === outcome &&
    row.input_tokens === BigInt(usage.inputTokens) &&
    row.output_tokens === BigInt(usage.outputTokens)
  );
}

/** I4: no hold outlives its time or its request. */
export async function checkHolds(store: Store, findings: Findings, nowMs: number): Promise<void> {
  const { reader } = store;
  const overdueUs = BigInt(nowMs) * 1000n - OVERDUE_US;
  const overdue = await reader
    .selectFrom('holds')
    .select('request_id')
    .where('state', '=', 'open')
    .where('expires_us', '<', overdueUs)
    .executeTakeFirst();
  findings.expect('I4', overdue === undefined, () => `the hold of request ${overdue?.request_id} is overdue`);
  const both = await reader
    .selectFrom('holds')
    .innerJoin('requests', 'requests.id', 'holds.request_id')
    .select('requests.id as id')
    .executeTakeFirst();
  findings.expect('I4', both === undefined, () => `request ${both?.id} is settled and still holds money`);
}
