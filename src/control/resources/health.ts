import type { ROUTES } from '@millrace/contract';
import type { Access, ControlApp } from '../context.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';
import { isReady, stateOf } from './models.ts';

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
function alarmsOf({ loader, engineStatus }: ControlDeps): readonly string[] {
  const failed = engineStatus().filter(({ phase }) => phase === 'failed');
  return [
    ...(loader.suspended() > 0 ? [`suspense:${loader.suspended()}`] : []),
    ...(loader.setBacks().count > 0 ? ['ledger_set_back'] : []),
    ...failed.map(({ deploymentId }) => `engine_failed:${deploymentId}`),
  ];
}

/** Stable words for machines; the first is the weightiest. */
export function notReady(deps: ControlDeps): readonly string[] {
  const { slots, cluster } = deps;
  const reasons: string[] = [];
  if (slots.node.get('draining') !== 0) reasons.push('draining');
  if (slots.node.get('journalBroken') !== 0) reasons.push('journal_broken');
  if (slots.node.get('storageFull') !== 0) reasons.push('storage_full');
  if (cluster?.status().maySpend === false) reasons.push('database_away');
  return [...reasons, ...modelsNotReady(deps)];
}

/**
 * A node is ready when what it must serve is: no model still waits for its first engine. What cannot be loaded is an alarm and
 * keeps nobody from the models that are, unless there are none.
 */
function modelsNotReady(deps: ControlDeps): readonly string[] {
  const models = [...deps.catalog.snapshot().models.values()];
  const waiting = models.filter(model => !isReady(deps, model));
  const inState = (wanted: 'starting' | 'failed') =>
    waiting
      .flatMap(({ deployments }) => deployments.filter(each => stateOf(deps, each).state === wanted))
      .map(({ id }) => id);
  const loading = inState('starting').map(id => `engine_loading:${id}`);
  if (loading.length > 0 || waiting.length < models.length) return loading;
  return inState('failed').map(id => `engine_failed:${id}`);
}
