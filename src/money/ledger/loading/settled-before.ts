import type { JournalEntry } from '../../../ground/journal/index.ts';
import type { Store } from '../../../ground/store/index.ts';
import { contentOf, type Suspended } from '../suspense.ts';
import type { Stray } from './plan-slice.ts';

/** Ids of one query: well below what either database takes in a statement. */
const IDS_MAX = 500;

/** Of these requests, those that are settled already, or whose settlement waits in suspense. */
async function settledAmong(db: Store['db'], ids: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let start = 0; start < ids.length; start += IDS_MAX) {
    const part = ids.slice(start, start + IDS_MAX);
    for (const { id } of await db.selectFrom('requests').select('id').where('id', 'in', part).execute()) found.add(id);
    const aside = db.selectFrom('suspense').select('request_id').where('request_id', 'in', part);
    for (const { request_id } of await aside.where('kind', '<>', 'hold').execute()) found.add(request_id);
  }
  return found;
}

const NONE: ReadonlySet<string> = new Set();

/** The requests of entries that may be read a second time (up to `replayedTo`) and have a row already. */
export async function settledBefore(
  db: Store['db'],
  entries: readonly JournalEntry[],
  replayedTo: number,
): Promise<ReadonlySet<string>> {
  const [first] = entries;
  if (!first || first.seq > replayedTo) return NONE;
  const replayed = entries.filter(({ seq }) => seq <= replayedTo);
  return settledAmong(db, [...new Set(replayed.map(({ record }) => record.value.id))]);
}

/** Settlements without an intent, of requests that are not in the store either: nobody can say whose they are. */
export async function phantomsAmong(db: Store['db'], strays: readonly Stray[]): Promise<readonly Suspended[]> {
  if (strays.length === 0) return [];
  const known = await settledAmong(
    db,
    strays.map(({ settlement }) => settlement.id),
  );
  return strays
    .filter(({ settlement }) => !known.has(settlement.id))
    .map(({ seq, settlement }) => ({
      kind: 'settlement',
      seq,
      requestId: settlement.id,
      reason: 'it settles a request that has no intent: do the journal and the store belong together?',
      content: contentOf({ settlement }),
    }));
}
