import type { Log } from '../../ground/std/index.ts';
import type { DeploymentTable, ModelTable, ProviderTable, Store } from '../../ground/store/index.ts';
import { longestAnswerOf } from './known-models.ts';
import { type PriceBook, readPriceBook } from './price-list.ts';
import { openKey } from './save-provider.ts';
import type { Seal } from './seal.ts';
import type { Deployment, Model, Upstream } from './snapshot.ts';
import { timeoutsIn } from './timeouts.ts';

export interface EngineDeployment {
  readonly file: string;
  readonly contextTokens?: number;
  readonly sequences?: number;
  readonly threads?: number;
  readonly deploymentId: string;
  readonly modelId: string;
  readonly slot: number;
}

export interface SnapshotContent {
  readonly models: ReadonlyMap<string, Model>;
  readonly engines: readonly EngineDeployment[];
}

export interface SnapshotParts {
  readonly seal: Seal;
  readonly log: Log;
  readonly engineBaseUrl: (deploymentId: string) => string;
  /** Row in the shared counters; undefined where none is free. */
  readonly slotOf: (row: DeploymentTable) => number | undefined;
}

interface Filling {
  readonly model: ModelTable;
  readonly deployments: Deployment[];
}

/** Reads what can be called from the store. Frozen to the leaves: whoever holds it holds it unchanged. */
export async function readSnapshot({ db }: Pick<Store, 'db'>, parts: SnapshotParts): Promise<SnapshotContent> {
  const book = await readPriceBook(db);
  const providers = await db.selectFrom('providers').selectAll().execute();
  const upstreams = new Map(providers.flatMap(row => upstreamOf(row, parts) ?? []));
  const rows = await db.selectFrom('deployments').selectAll().orderBy('position').execute();
  const modelRows = await db.selectFrom('models').selectAll().where('removed_us', 'is', null).orderBy('id').execute();
  const byModel = new Map(modelRows.map((model): [string, Filling] => [model.id, { model, deployments: [] }]));
  const engines: EngineDeployment[] = [];
  for (const row of rows) {
    const ofModel = byModel.get(row.model_id);
    const upstream = row.engine === null ? upstreams.get(row.provider_id ?? '') : engineUpstream(row.id, parts);
    if (!ofModel || !upstream) continue;
    const slot = parts.slotOf(row);
    if (slot === undefined) {
      parts.log.error('deployment-without-slot', { deploymentId: row.id });
      continue;
    }
    ofModel.deployments.push(deploymentOf(row, { upstream, slot, book, model: ofModel.model }));
    if (row.engine === null) continue;
    const engine: Omit<EngineDeployment, 'deploymentId' | 'modelId' | 'slot'> = JSON.parse(row.engine);
    engines.push({ ...engine, deploymentId: row.id, modelId: row.model_id, slot });
  }
  const models = modelRows.map(row => modelOf(row, { deployments: byModel.get(row.id)?.deployments ?? [], book }));
  return { models: new Map(models.map(model => [model.id, freeze(model)])), engines: freeze(engines) };
}

function upstreamOf(row: ProviderTable, { seal, log }: SnapshotParts): [string, Upstream][] | undefined {
  try {
    const apiKey = openKey(seal, row);
    const upstream: Upstream = {
      providerId: row.id,
      dialect: 'openai-chat',
      baseUrl: row.base_url,
      ...(apiKey === undefined ? {} : { apiKey }),
      allowPrivateNetwork: row.allow_private === 1n,
      quirks: JSON.parse(row.quirks),
    };
    return [[row.id, upstream]];
  } catch (error) {
    // One key that does not open takes its provider out of service, not the server down.
    log.error('provider-key-unreadable', { providerId: row.id, internal: String(error) });
    return undefined;
  }
}

function engineUpstream(deploymentId: string, { engineBaseUrl }: SnapshotParts): Upstream {
  return {
    providerId: 'engine',
    dialect: 'openai-chat',
    baseUrl: engineBaseUrl(deploymentId),
    allowPrivateNetwork: true,
    quirks: [],
  };
}

function deploymentOf(
  row: DeploymentTable,
  {
    upstream,
    slot,
    book,
    model,
  }: { readonly upstream: Upstream; readonly slot: number; readonly book: PriceBook; readonly model: ModelTable },
): Deployment {
  return {
    id: row.id,
    upstream,
    upstreamModel: row.upstream_model,
    embedded: row.engine !== null,
    slot,
    ...(row.concurrency === null ? {} : { concurrency: Number(row.concurrency) }),
    priority: Number(row.priority),
    weight: Number(row.weight),
    ...timeoutsIn(model.timeouts, row.timeouts),
    costs: book('cost', row.id),
  };
}

function modelOf(
  row: ModelTable,
  { deployments, book }: { readonly deployments: readonly Deployment[]; readonly book: PriceBook },
): Model {
  return {
    id: row.id,
    operations: JSON.parse(row.operations),
    ...(row.context_tokens === null ? {} : { contextTokens: Number(row.context_tokens) }),
    ...outputLimits(row, deployments),
    createdAtMs: Number(row.created_us / 1000n),
    ownedBy: row.owned_by,
    prices: book('sell', row.id),
    deployments,
  };
}

/** Longest answer of an engine of ours where the operator names none: it has a context to share. */
const ENGINE_OUTPUT_TOKENS = 4_096;

function outputLimits(
  { max_output_tokens }: ModelTable,
  deployments: readonly Deployment[],
): Pick<Model, 'maxOutputTokens' | 'longestAnswerTokens'> {
  const isEngine = deployments.some(({ embedded }) => embedded);
  const limit = max_output_tokens > 0n ? Number(max_output_tokens) : isEngine ? ENGINE_OUTPUT_TOKENS : undefined;
  const known = deployments.map(longestAnswerOf);
  // One that is not known may give more than the others.
  const longest = known.includes(undefined) ? 0 : Math.max(0, ...known.map(tokens => tokens ?? 0));
  return {
    ...(limit === undefined ? {} : { maxOutputTokens: limit }),
    ...(longest === 0 ? {} : { longestAnswerTokens: longest }),
  };
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}
