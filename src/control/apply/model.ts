import type { Change, DeploymentSpec, ModelSpec } from '@millrace/contract';
import type { StoreTransaction } from '../../ground/store/index.ts';
import type { EngineInput } from '../../models/catalog/index.ts';
import { showPrice } from '../../money/pricing/index.ts';
import type { ControlDeps } from '../deps.ts';
import { changeOf, differences, type Shown } from './difference.ts';

/** A model with its deployments as they stand in the store. */
interface ShownModel {
  readonly model: Shown;
  readonly deployments: ReadonlyMap<string, Shown>;
}

type Deps = Pick<ControlDeps, 'catalog'>;

/**
 * Sets a model, and its deployments to exactly those that the document lists. What changed is read back from the store before
 * and after, so that a change is reported when and only when something is different there.
 */
export async function applyModel({ catalog }: Deps, trx: StoreTransaction, spec: ModelSpec): Promise<Change[]> {
  const before = await showModel({ catalog }, trx, spec.id);
  await catalog.upsertModel(trx, spec);
  const after = await showModel({ catalog }, trx, spec.id);
  const changes = [
    changeOf('model', spec.id, { before: before?.model, fields: differences(before?.model ?? {}, after?.model ?? {}) }),
  ];
  for (const { id } of spec.deployments) {
    const was = before?.deployments.get(id);
    const fields = differences(was ?? {}, after?.deployments.get(id) ?? {});
    changes.push(changeOf('deployment', id, { before: was, fields }));
  }
  const named = new Set(spec.deployments.map(({ id }: DeploymentSpec) => id));
  for (const [id, was] of before?.deployments ?? [])
    if (!named.has(id)) changes.push({ kind: 'deployment', id, action: 'removed', fields: differences(was, {}) });
  return changes;
}

async function showModel({ catalog }: Deps, trx: StoreTransaction, id: string): Promise<ShownModel | undefined> {
  const row = await trx.selectFrom('models').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) return undefined;
  const prices = async (kind: 'sell' | 'cost', subject: string) =>
    (await catalog.listedPrices(trx, kind, subject)).map(showPrice).join(', ') || null;
  const operations: readonly string[] = JSON.parse(row.operations);
  const deployments = new Map<string, Shown>();
  const listed = await trx
    .selectFrom('deployments')
    .selectAll()
    .where('model_id', '=', id)
    .orderBy('position')
    .execute();
  for (const deployment of listed) {
    const engine: EngineInput | undefined = deployment.engine === null ? undefined : JSON.parse(deployment.engine);
    deployments.set(deployment.id, {
      model: id,
      provider: deployment.provider_id,
      'engine.file': engine?.file ?? null,
      'engine.contextTokens': text(engine?.contextTokens),
      'engine.sequences': text(engine?.sequences),
      upstreamModel: engine ? null : deployment.upstream_model,
      concurrency: text(deployment.concurrency),
      priority: text(deployment.priority),
      weight: text(deployment.weight),
      timeouts: deployment.timeouts,
      costs: await prices('cost', deployment.id),
    });
  }
  return {
    model: {
      operations: operations.join(' '),
      contextTokens: text(row.context_tokens),
      maxOutputTokens: row.max_output_tokens > 0n ? text(row.max_output_tokens) : null,
      timeouts: row.timeouts,
      prices: await prices('sell', id),
      // The order of deployments breaks ties, so it is a property of the model.
      deployments: listed.map(deployment => deployment.id).join(' '),
    },
    deployments,
  };
}

const text = (count: number | bigint | null | undefined): string | null =>
  count === null || count === undefined ? null : String(count);
