import { formatAmount, type ModelView, type Nano, type PriceView, type ROUTES } from '@millrace/contract';
import type { UpstreamFailure } from '../../gateway/index.ts';
import { Fault } from '../../ground/std/index.ts';
import type { Deployment, Model } from '../../models/catalog/index.ts';
import type { PriceVersion } from '../../money/pricing/index.ts';
import type { Principal } from '../../people/identity/index.ts';
import { addModel } from '../apply/add-model.ts';
import type { ControlDeps } from '../deps.ts';
import type { Lang, Words } from '../language.ts';
import type { Handlers } from '../routes/mount.ts';

/** What can be called. A file of weights is added here; all else is made and changed through `config.apply`. */
export function modelHandlers(deps: ControlDeps): Handlers<typeof ROUTES.models> {
  const { catalog } = deps;
  const find = (id: string): Model => {
    const model = catalog.snapshot().models.get(id);
    if (!model) throw noModel(id);
    return model;
  };
  return {
    async list({ principal, lang }) {
      const models = [...catalog.snapshot().models.values()];
      return { models: models.map(model => viewFor(principal, modelView(deps, model, lang))) };
    },
    inspect: ({ body: { file } }) => deps.inspectModel(file),
    async add({ body, lang }) {
      const { id, replaced } = await addModel(deps, body);
      return { ...modelView(deps, find(id), lang), file: body.file, replaced };
    },
    show: async ({ params: { id }, principal, lang }) => viewFor(principal, modelView(deps, find(id), lang)),
    async remove({ params: { id } }) {
      if (!(await deps.store.transaction(trx => catalog.removeModel(trx, id)))) throw noModel(id);
      await deps.publish();
      return { id, removed: true };
    },
  };
}

/** Whom we buy from, and for how much, is nothing for a customer. */
function viewFor({ organizationId }: Principal, view: ModelView): ModelView {
  return organizationId === undefined ? view : { ...view, deployments: [] };
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
    const status = engineStatus().find(({ deploymentId }) => deploymentId === id);
    const failure = status?.lastFailure;
    if (status?.phase !== 'failed' || !failure) return { state: 'starting', reason: null };
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
    maxOutputTokens: model.maxOutputTokens ?? null,
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
        lastFailure: failureView(deps.lastFailure(deployment.id)),
        inFlight: deps.slots.deployments.get(deployment.slot, 'inFlight'),
        concurrency: deployment.concurrency ?? null,
        priority: deployment.priority,
        weight: deployment.weight,
        costs: deployment.costs.map(priceView),
      };
    }),
  };
}

function failureView(failure: UpstreamFailure | undefined): ModelView['deployments'][number]['lastFailure'] {
  if (!failure) return null;
  const { atMs, code, status, reason } = failure;
  return { at: new Date(atMs).toISOString(), code, status, reason };
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
