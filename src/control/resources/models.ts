import {
  formatAmount,
  type ModelView,
  modelAddSchema,
  modelInspectSchema,
  type Nano,
  type PriceView,
} from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import type { Deployment, Model } from '../../models/catalog/index.ts';
import type { PriceVersion } from '../../money/pricing/index.ts';
import { addModel } from '../apply/add-model.ts';
import { type ControlApp, readBody } from '../context.ts';
import type { ControlDeps } from '../deps.ts';
import type { Lang, Words } from '../language.ts';

/** `/api/v1/models`: what can be called. A file of weights is added here; all else is made and changed through `/api/v1/config/apply`. */
export function modelRoutes(app: ControlApp, deps: ControlDeps): void {
  const { catalog } = deps;

  app.get('/api/v1/models', c => {
    const models = [...catalog.snapshot().models.values()];
    return c.json({ models: models.map(model => modelView(deps, model, c.get('lang'))) });
  });

  app.post('/api/v1/models/inspect', async c => {
    const { file } = await readBody(c, modelInspectSchema);
    return c.json(await deps.inspectModel(file));
  });

  app.post('/api/v1/models', async c => {
    const body = await readBody(c, modelAddSchema);
    const { id, replaced } = await addModel(deps, body);
    const model = catalog.snapshot().models.get(id);
    if (!model) throw noModel(id);
    return c.json({ ...modelView(deps, model, c.get('lang')), file: body.file, replaced }, 201);
  });

  app.get('/api/v1/models/:id{.+}', c => {
    const id = c.req.param('id');
    const model = catalog.snapshot().models.get(id);
    if (!model) throw noModel(id);
    return c.json(modelView(deps, model, c.get('lang')));
  });

  app.delete('/api/v1/models/:id{.+}', async c => {
    const id = c.req.param('id');
    if (!(await deps.store.transaction(trx => catalog.removeModel(trx, id)))) throw noModel(id);
    await deps.publish();
    return c.json({ id, removed: true });
  });
}

function noModel(id: string): Fault {
  return new Fault('not_found', { message: `There is no model ${id}`, messageZh: `不存在模型 ${id}` });
}

/** How a deployment fares, and why where it failed. */
export function stateOf(
  { slots: { deployments }, clock, engineStatus }: ControlDeps,
  { id, embedded, slot }: Deployment,
): { readonly state: ModelView['deployments'][number]['state']; readonly reason: Words | null } {
  if (embedded && deployments.get(slot, 'ready') !== 1) {
    const failure = engineStatus().find(({ deploymentId }) => deploymentId === id)?.lastFailure;
    if (!failure) return { state: 'starting', reason: null };
    return { state: 'failed', reason: { en: failure.message, zh: failure.messageZh } };
  }
  const isResting = deployments.get(slot, 'closedUntilS') > Math.floor(clock.nowMs() / 1000);
  return { state: isResting ? 'resting' : 'ready', reason: null };
}

export function isReady(deps: ControlDeps, { deployments }: Model): boolean {
  return deployments.some(deployment => stateOf(deps, deployment).state === 'ready');
}

function modelView(deps: ControlDeps, model: Model, lang: Lang): ModelView {
  return {
    id: model.id,
    operations: [...model.operations],
    contextTokens: model.contextTokens ?? null,
    maxOutputTokens: model.maxOutputTokens,
    createdAt: new Date(model.createdAtMs).toISOString(),
    ready: isReady(deps, model),
    prices: model.prices.map(priceView),
    deployments: model.deployments.map(deployment => {
      const { state, reason } = stateOf(deps, deployment);
      return {
        id: deployment.id,
        provider: deployment.upstream.providerId,
        upstreamModel: deployment.upstreamModel,
        state,
        reason: reason === null ? null : reason[lang],
        inFlight: deps.slots.deployments.get(deployment.slot, 'inFlight'),
        concurrency: deployment.concurrency ?? null,
        priority: deployment.priority,
        weight: deployment.weight,
        costs: deployment.costs.map(priceView),
      };
    }),
  };
}

function priceView(price: PriceVersion): PriceView {
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
