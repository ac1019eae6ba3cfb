import { formatAmount } from '@millrace/contract';
import { ENTRY_KIND, findEntries, type JournalEntry } from '../../ground/journal/index.ts';
import { Fault } from '../../ground/std/index.ts';
import { verifyLedger } from '../../money/ledger/index.ts';
import type { ControlApp } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** Oldest open requests that are shown one by one. */
const OPEN_SHOWN = 100;

/** `/api/v1/ledger/verify` proves the books; `/api/v1/journal` shows the log that feeds them. */
export function ledgerRoutes(app: ControlApp, { store, loader, journal, slots, clock }: ControlDeps): void {
  app.post('/api/v1/ledger/verify', async c => {
    await loader.flush();
    const { nodeId, reader } = journal;
    const { ok, invariants } = await verifyLedger(store, { nodeId, reader, nowMs: clock.nowMs() });
    const lang = c.get('lang');
    return c.json({ ok, invariants: invariants.map(invariant => ({ ...invariant, title: invariant.title[lang] })) });
  });

  app.get('/api/v1/journal', async c => {
    const open = await loader.openIntents();
    return c.json({
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
    });
  });

  app.get('/api/v1/journal/requests/:id', async c => {
    const requestId = c.req.param('id');
    const entries = await findEntries(journal.reader, requestId);
    if (entries.length === 0)
      throw new Fault('not_found', {
        message: `The journal of this node has no request ${requestId.slice(0, 64)}; \`usage\` shows what is older`,
        messageZh: `本节点的日志中没有请求 ${requestId.slice(0, 64)}；更早的请求见 \`usage\``,
      });
    return c.json({ requestId, entries: entries.map(entryView) });
  });
}

const KINDS = Object.fromEntries(Object.entries(ENTRY_KIND).map(([name, kind]) => [kind, name]));

/** All that was written, by its names; amounts as decimals, times as text. */
function entryView({ seq, record }: JournalEntry): object {
  return { seq, kind: KINDS[record.kind], ...recordView(record.value) };
}

/** The fields of a record by their names. */
export function recordView(value: object): object {
  const fields = Object.entries(value).map(([name, field]) => {
    if (typeof field === 'bigint') return [name.replace(/Nano$/, ''), formatAmount(field)];
    if (name === 'atMs' || name === 'expiresAtMs') return [name.replace(/Ms$/, ''), new Date(field).toISOString()];
    if (Array.isArray(field)) return [name, field.map(recordView)];
    return [name, field];
  });
  return Object.fromEntries(fields);
}
