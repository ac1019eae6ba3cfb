import { formatAmount } from '@millrace/contract';
import { verifyLedger } from '../ledger/index.ts';
import type { ControlApp } from './context.ts';
import type { ControlDeps } from './deps.ts';

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
}
