import type { RequestId } from '@millrace/contract';
import type { JournalReader } from './reader.ts';
import { ENTRY_KIND, type JournalEntry } from './records.ts';

/** Some ten milliseconds of work. */
const ENTRIES_A_TURN = 2_000;

/**
 * Entries about one request, oldest first, from as far back as the archive goes; empty where it has none. Reads the log through
 * up to its settlement, a part in each turn of the event loop: a full journal takes seconds, and nobody waits for them.
 */
export async function findEntries(
  reader: Pick<JournalReader, 'read' | 'firstSeq'>,
  requestId: RequestId,
): Promise<readonly JournalEntry[]> {
  const found: JournalEntry[] = [];
  let after = reader.firstSeq() - 1;
  for (;;) {
    const entries = reader.read(after, ENTRIES_A_TURN);
    for (const entry of entries) {
      after = entry.seq;
      if (entry.record.value.id !== requestId) continue;
      found.push(entry);
      if (entry.record.kind === ENTRY_KIND.settlement) return found;
    }
    if (entries.length === 0) return found;
    await new Promise<void>(resolve => setImmediate(resolve));
  }
}
