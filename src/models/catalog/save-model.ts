import { raiseRevision, type Store, type StoreTransaction } from '../../ground/store/index.ts';
import { invalid } from '../../money/pricing/index.ts';
import type { DeploymentInput, EngineInput, ModelInput } from './input.ts';
import { savePrices } from './price-list.ts';
import { timeoutsText } from './timeouts.ts';

/** In the column of the longest answer: the operator names none. */
const NO_LIMIT = 0n;
const OWNER = 'millrace';

type Row = Readonly<Record<string, string | bigint | null>>;

interface Saving {
  readonly store: Store;
  readonly trx: StoreTransaction;
  readonly nowMs: number;
  /** Raised once, with the first thing that differs: an apply that changes nothing tells no one. */
  readonly revision: () => Promise<bigint>;
}

function startSaving(store: Store, trx: StoreTransaction, nowMs: number): Saving {
  let raised: Promise<bigint> | undefined;
  return {
    store,
    trx,
    nowMs,
    revision: () => {
      raised ??= raiseRevision(trx, 'catalog');
      return raised;
    },
  };
}

const differs = (row: Row | undefined, wanted: Row) =>
  row === undefined || Object.keys(wanted).some(column => row[column] !== wanted[column]);

/** Sets a model, its prices, and its deployments to exactly those given. Throws Fault `config_invalid`. */
export async function saveModel(
  store: Store,
  trx: StoreTransaction,
  { input, nowMs }: { readonly input: ModelInput; readonly nowMs: number },
): Promise<void> {
  const saving = startSaving(store, trx, nowMs);
  const wanted = {
    operations: JSON.stringify(input.operations ?? ['chat', 'completions']),
    context_tokens: input.contextTokens === undefined ? null : BigInt(input.contextTokens),
    max_output_tokens: input.maxOutputTokens === undefined ? NO_LIMIT : BigInt(input.maxOutputTokens),
    owned_by: OWNER,
    removed_us: null,
    timeouts: timeoutsText(input.timeouts),
  };
  const existing = await trx.selectFrom('models').selectAll().where('id', '=', input.id).executeTakeFirst();
  if (differs(existing && { ...existing }, wanted)) {
    await saving.revision();
    await trx
      .insertInto('models')
      .values({ id: input.id, created_us: BigInt(nowMs) * 1000n, ...wanted })
      .onConflict(known => known.column('id').doUpdateSet(wanted))
      .execute();
  }
  const subject = { kind: 'sell', id: input.id } as const;
  await savePrices(store, trx, { ...saving, subject, prices: input.prices, path: `models.${input.id}.prices` });
  await removeOtherDeployments(saving, input);
  for (const [position, deployment] of input.deployments.entries())
    await saveDeployment(saving, { modelId: input.id, deployment, position });
}

/** Their usage, costs and price history stay; what they were is told by those. */
async function removeOtherDeployments({ trx, revision }: Saving, { id, deployments }: ModelInput): Promise<void> {
  const kept = new Set(deployments.map(deployment => deployment.id));
  const rows = await trx.selectFrom('deployments').select('id').where('model_id', '=', id).execute();
  for (const row of rows.filter(({ id: there }) => !kept.has(there))) {
    await revision();
    await trx.deleteFrom('price_list').where('kind', '=', 'cost').where('subject_id', '=', row.id).execute();
    await trx.deleteFrom('deployments').where('id', '=', row.id).execute();
  }
}

async function saveDeployment(
  saving: Saving,
  {
    modelId,
    deployment,
    position,
  }: { readonly modelId: string; readonly deployment: DeploymentInput; readonly position: number },
): Promise<void> {
  const { trx } = saving;
  const path = `models.${modelId}.deployments.${deployment.id}`;
  const existing = await trx.selectFrom('deployments').selectAll().where('id', '=', deployment.id).executeTakeFirst();
  if (existing && existing.model_id !== modelId)
    throw invalid(
      path,
      `the deployment id is taken by the model ${existing.model_id}`,
      `该部署 ID 已被模型 ${existing.model_id} 使用`,
    );
  if (deployment.provider !== undefined) await requireProvider(trx, deployment.provider, path);
  const wanted = {
    model_id: modelId,
    provider_id: deployment.provider ?? null,
    engine: deployment.engine === undefined ? null : engineText(deployment.engine),
    upstream_model: deployment.upstreamModel ?? modelId,
    concurrency: deployment.concurrency === undefined ? null : BigInt(deployment.concurrency),
    priority: BigInt(deployment.priority ?? 0),
    weight: BigInt(deployment.weight ?? 1),
    position: BigInt(position),
    timeouts: timeoutsText(deployment.timeouts),
  };
  if (differs(existing && { ...existing }, wanted)) {
    await saving.revision();
    await trx
      .insertInto('deployments')
      .values({ id: deployment.id, ...wanted })
      .onConflict(known => known.column('id').doUpdateSet(wanted))
      .execute();
  }
  const subject = { kind: 'cost', id: deployment.id } as const;
  await savePrices(saving.store, trx, { ...saving, subject, prices: deployment.costs ?? [], path: `${path}.costs` });
}

/** In one order of fields, so that equal engines are equal texts. */
function engineText({ file, contextTokens, sequences, threads }: EngineInput): string {
  return JSON.stringify({ file, contextTokens, sequences, threads });
}

async function requireProvider(trx: StoreTransaction, id: string, path: string): Promise<void> {
  if (await trx.selectFrom('providers').select('id').where('id', '=', id).executeTakeFirst()) return;
  throw invalid(`${path}.provider`, `there is no provider ${id}`, `不存在供应商 ${id}`);
}

/** Takes a model and its deployments out of service; prices, usage and the day it was created stay. False where none is there. */
export async function removeModel(trx: StoreTransaction, id: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('models')
    .set({ removed_us: BigInt(nowMs) * 1000n })
    .where('id', '=', id)
    .where('removed_us', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  await raiseRevision(trx, 'catalog');
  const rows = await trx.selectFrom('deployments').select('id').where('model_id', '=', id).execute();
  for (const row of rows) {
    await trx.deleteFrom('price_list').where('kind', '=', 'cost').where('subject_id', '=', row.id).execute();
    await trx.deleteFrom('deployments').where('id', '=', row.id).execute();
  }
  return true;
}
