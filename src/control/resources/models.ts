import { formatAmount, type ModelView, modelInspectSchema, type Nano } from '@millrace/contract';
import { type DeploymentSlots, Fault } from '../../ground/std/index.ts';
import type { Deployment, Model } from '../../models/catalog/index.ts';
import type { PriceVersion } from '../../money/pricing/index.ts';
import { type ControlApp, readBody } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/models` and `/api/v1/providers`: what can be called. They are made and changed through `/api/v1/config/apply`. */
export function modelRoutes(app: ControlApp, deps: ControlDeps): void {
  app.get('/api/v1/models', c => {
    const models = [...deps.catalog.snapshot().models.values()];
    return c.json({ models: models.map(model => modelView(deps, model)) });
  });

  app.post('/api/v1/models/inspect', async c => {
    const { file } = await readBody(c, modelInspectSchema);
    return c.json(await deps.inspectModel(file));
  });

  app.delete('/api/v1/models/:id{.+}', async c => {
    const id = c.req.param('id');
    if (!(await deps.store.transaction(trx => deps.catalog.removeModel(trx, id))))
      throw new Fault('not_found', { message: `There is no model ${id}`, messageZh: `不存在模型 ${id}` });
    await deps.publish();
    return c.json({ id, removed: true });
  });

  app.get('/api/v1/providers', async c => c.json({ providers: await deps.catalog.providers() }));
}

/** `starting`: an engine that loads. `resting`: it failed and is left alone for a while. */
export function stateOf(
  { embedded, slot }: Deployment,
  slots: DeploymentSlots,
  nowMs: number,
): ModelView['deployments'][number]['state'] {
  if (embedded && slots.get(slot, 'ready') !== 1) return 'starting';
  return slots.get(slot, 'closedUntilS') > Math.floor(nowMs / 1000) ? 'resting' : 'ready';
}

export function isReady({ slots, clock }: ControlDeps, { deployments }: Model): boolean {
  return deployments.some(deployment => stateOf(deployment, slots.deployments, clock.nowMs()) === 'ready');
}

function modelView(deps: ControlDeps, model: Model): ModelView {
  const { slots, clock } = deps;
  return {
    id: model.id,
    operations: [...model.operations],
    contextTokens: model.contextTokens ?? null,
    maxOutputTokens: model.maxOutputTokens,
    createdAt: new Date(model.createdAtMs).toISOString(),
    ready: isReady(deps, model),
    prices: model.prices.map(priceView),
    deployments: model.deployments.map(deployment => ({
      id: deployment.id,
      provider: deployment.upstream.providerId,
      upstreamModel: deployment.upstreamModel,
      state: stateOf(deployment, slots.deployments, clock.nowMs()),
      inFlight: slots.deployments.get(deployment.slot, 'inFlight'),
      concurrency: deployment.concurrency ?? null,
      priority: deployment.priority,
      weight: deployment.weight,
      costs: deployment.costs.map(priceView),
    })),
  };
}

function priceView(price: PriceVersion): ModelView['prices'][number] {
  const { version, currency, effectiveFromMs } = price;
  const figure = (nano: Nano | undefined) => (nano === undefined ? null : formatAmount(nano));
  const figures = price.book === undefined ? price.nanoPerMillion : undefined;
  return {
    version,
    currency,
    inputPerM: figure(figures?.input),
    cachedInputPerM: figure(figures?.cachedInput),
    outputPerM: figure(figures?.output),
    effectiveFrom: effectiveFromMs === 0 ? null : new Date(effectiveFromMs).toISOString(),
  };
}
