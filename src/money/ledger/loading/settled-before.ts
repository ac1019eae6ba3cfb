import type { JournalEntry } from '../../../ground/journal/index.ts';
import { Fault } from '../../../ground/std/index.ts';
import type { Store } from '../../../ground/store/index.ts';
import type { Stray } from './plan-slice.ts';

/** Ids of one query: well below what either database takes in a statement. */
const IDS_MAX = 500;

/** Of these requests, those that have a row already. */
async function settledAmong(db: Store['db'], ids: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let start = 0; start < ids.length; start += IDS_MAX) {
    const part = ids.slice(start, start + IDS_MAX);
    for (const { id } of await db.selectFrom('requests').select('id').where('id', 'in', part).execute()) found.add(id);
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

/** Throws Fault `config_invalid` on a settlement without an intent that is not in the store either. */
export async function assertSettled(db: Store['db'], strays: readonly Stray[]): Promise<void> {
  if (strays.length === 0) return;
  const known = await settledAmong(
    db,
    strays.map(({ id }) => id),
  );
  const phantom = strays.find(({ id }) => !known.has(id));
  if (!phantom) return;
  const { id, seq } = phantom;
  throw new Fault('config_invalid', {
    message: `Entry ${seq} of the journal settles request ${id}, which has no intent: the journal and the store do not belong together`,
    messageZh: `日志第 ${seq} 条结算了请求 ${id}，但找不到它的意向记录：日志与存储不匹配`,
  });
}
