import { formatAmount, type JournalEntryView, type ROUTES } from '@millrace/contract';
import { ENTRY_KIND, findEntries, type JournalEntry } from '../../ground/journal/index.ts';
import { Fault } from '../../ground/std/index.ts';
import { verifyLedger } from '../../money/ledger/index.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';
import { recordView } from './record-view.ts';
import { suspenseHandlers } from './suspense.ts';

/** Oldest open requests that are shown one by one. */
const OPEN_SHOWN = 100;

/** Proves the books, and shows the log that feeds them. */
export function ledgerHandlers(deps: ControlDeps): Handlers<typeof ROUTES.ledger> {
  const { store, loader, journal, slots, clock } = deps;
  return {
    ...suspenseHandlers(deps),
    async verify({ lang }) {
      await loader.flush();
      const { nodeId, reader } = journal;
      const { ok, invariants } = await verifyLedger(store, { nodeId, reader, nowMs: clock.nowMs() });
      return { ok, invariants: invariants.map(invariant => ({ ...invariant, title: invariant.title[lang] })) };
    },
    async journal() {
      const open = await loader.openIntents();
      return {
        nodeId: journal.nodeId,
        lastSeq: journal.reader.lastSeq(),
        lag: loader.lag(),
        storageFull: slots.node.get('storageFull') !== 0,
        openIntents: open.length,
        open: open.slice(0, OPEN_SHOWN).map(({ intent, progress }) => ({
          requestId: intent.id,
          at: new Date(intent.atMs).toISOString(),
          organizationId: intent.organizationId,
          model: intent.model,
          currency: intent.currency,
          held: formatAmount(progress?.holdNano ?? intent.holdNano),
          outputTokens: progress?.outputTokens ?? 0,
        })),
      };
    },
    async trace({ params: { id } }) {
      const entries = await findEntries(journal.reader, id);
      if (entries.length === 0)
        throw new Fault('not_found', {
          message: `The journal of this node has no request ${id.slice(0, 64)}; \`usage\` shows what is older`,
          messageZh: `本节点的日志中没有请求 ${id.slice(0, 64)}；更早的请求见 \`usage\``,
        });
      return { requestId: id, entries: entries.map(entryView) };
    },
  };
}

const KINDS: ReadonlyMap<number, JournalEntryView['kind']> = new Map([
  [ENTRY_KIND.intent, 'intent'],
  [ENTRY_KIND.progress, 'progress'],
  [ENTRY_KIND.settlement, 'settlement'],
]);

/** All that was written, by its names; amounts as decimals, times as text. */
function entryView({ seq, record }: JournalEntry): JournalEntryView {
  const kind = KINDS.get(record.kind);
  if (kind === undefined) throw new Error(`entry ${seq} of the journal is of no kind that is known`);
  return { seq, kind, ...recordView(record.value) };
}
