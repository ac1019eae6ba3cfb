import type { ROUTES } from '@millrace/contract';
import type { Access, ControlApp } from '../context.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';
import { isReady } from './models.ts';

/** `/healthz`: the process answers. `/readyz`: it may be sent traffic, and if not, why. `/api/v1/status`: both, with models. */
export function healthRoutes(app: ControlApp, deps: ControlDeps): void {
  app.get('/healthz', c => c.json({ ok: true }));
  app.get('/readyz', c => {
    const reasons = notReady(deps);
    const status = deps.cluster?.status();
    const cluster = status && { nodes: status.nodes, valkey: status.valkeyUp ? 'up' : 'away' };
    const alarms = alarmsOf(deps);
    return c.json({ ready: reasons.length === 0, reasons, alarms, ...cluster }, reasons.length === 0 ? 200 : 503);
  });
}

/** The node, for who administers it. */
export function nodeHandlers(deps: ControlDeps, access: Access): Handlers<typeof ROUTES.node> {
  return {
    async status() {
      const reasons = notReady(deps);
      return {
        version: deps.version,
        access,
        nodeId: deps.journal.nodeId,
        startedAt: new Date(deps.startedAtMs).toISOString(),
        ready: reasons.length === 0,
        reasons: [...reasons],
        alarms: [...alarmsOf(deps)],
        models: [...deps.catalog.snapshot().models.values()].map(model => ({
          id: model.id,
          ready: isReady(deps, model),
        })),
      };
    },
    async backup({ body: { folder } }) {
      await deps.loader.flush();
      await deps.backup(folder);
      return { folder };
    },
  };
}

/** What a person must look at, though the node serves: stable words for machines. */
function alarmsOf({ loader }: ControlDeps): readonly string[] {
  return loader.setBacks().count > 0 ? ['ledger_set_back'] : [];
}

/** Stable words for machines; the first is the weightiest. */
export function notReady({ slots, catalog, cluster }: ControlDeps): readonly string[] {
  const reasons: string[] = [];
  if (slots.node.get('draining') !== 0) reasons.push('draining');
  if (slots.node.get('journalBroken') !== 0) reasons.push('journal_broken');
  if (slots.node.get('storageFull') !== 0) reasons.push('storage_full');
  if (cluster?.status().maySpend === false) reasons.push('database_away');
  for (const { deploymentId, slot } of catalog.engines())
    if (slots.deployments.get(slot, 'ready') !== 1) reasons.push(`engine_loading:${deploymentId}`);
  return reasons;
}
