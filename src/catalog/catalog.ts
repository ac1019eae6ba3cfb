import { MODEL_ID, SLUG } from '@millrace/contract';
import type { Clock } from '../std/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
import { invalid, type PriceInput, priceVersionOf, readPriceVersion } from './price-version.ts';
import type { Seal } from './seal.ts';
import type { CatalogSnapshot, Deployment, Model, PriceVersion, Quirk, Upstream } from './snapshot.ts';

export interface ProviderInput {
  readonly id: string;
  readonly dialect: 'openai-chat';
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly allowPrivateNetwork?: boolean | undefined;
  readonly quirks?: readonly Quirk[] | undefined;
}

export interface EngineInput {
  readonly file: string;
  readonly contextTokens?: number | undefined;
  readonly sequences?: number | undefined;
  readonly threads?: number | undefined;
}

export interface DeploymentInput {
  readonly id: string;
  readonly provider?: string | undefined;
  readonly engine?: EngineInput | undefined;
  readonly upstreamModel?: string | undefined;
  readonly concurrency?: number | undefined;
  readonly priority?: number | undefined;
  readonly weight?: number | undefined;
  readonly costs?: readonly PriceInput[] | undefined;
}

export interface ModelInput {
  readonly id: string;
  readonly operations?: readonly Model['operations'][number][] | undefined;
  readonly contextTokens?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
  readonly prices: readonly PriceInput[];
  readonly deployments: readonly DeploymentInput[];
}

export interface EngineDeployment {
  readonly file: string;
  readonly contextTokens?: number;
  readonly sequences?: number;
  readonly threads?: number;
  readonly deploymentId: string;
  readonly modelId: string;
  readonly slot: number;
}

export interface Catalog {
  upsertProvider(trx: StoreTransaction, input: ProviderInput): Promise<void>;
  /** Replaces the model, its deployments and the list of prices that are current; versions that were used stay. */
  upsertModel(trx: StoreTransaction, input: ModelInput): Promise<void>;
  /** Whether the sealed key of a provider's row is this one: shows a difference without showing a key. */
  holdsKey(
    row: { readonly id: string; readonly base_url: string; readonly api_key_sealed: string | null },
    apiKey: string,
  ): boolean;
  listedPrices(trx: StoreTransaction, kind: string, subject: string): Promise<readonly PriceVersion[]>;
  /** Reads the store anew and tells all listeners. Call after the transaction. */
  refresh(): Promise<void>;
  snapshot(): CatalogSnapshot;
  onChange(listener: (snapshot: CatalogSnapshot) => void): void;
  engines(): readonly EngineDeployment[];
  providers(): Promise<
    readonly {
      readonly id: string;
      readonly dialect: string;
      readonly baseUrl: string;
      readonly hasKey: boolean;
      readonly allowPrivateNetwork: boolean;
      readonly quirks: readonly Quirk[];
    }[]
  >;
  /** Any version ever listed. */
  priceVersion(version: string): Promise<PriceVersion | undefined>;
}

export interface CatalogOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly seal: Seal;
  /** Where the engine host of a deployment listens, as a `unix:` base URL. */
  readonly engineBaseUrl: (deploymentId: string) => string;
}

const QUIRKS: readonly Quirk[] = ['drain-on-disconnect', 'no-stream-options', 'max-completion-tokens'];
const OPERATIONS: Model['operations'] = ['chat', 'completions', 'embeddings'];
const MAX_OUTPUT_TOKENS = 4_096;
const TIMEOUT_MS = { connect: 10_000, firstByte: 120_000, idle: 120_000, total: 1_800_000 };
const COUNT_MAX = 100_000_000;

export async function createCatalog({ store, clock, seal, engineBaseUrl }: CatalogOptions): Promise<Catalog> {
  let current: CatalogSnapshot = { revision: 0, models: new Map() };
  let engines: readonly EngineDeployment[] = [];
  const listeners: ((snapshot: CatalogSnapshot) => void)[] = [];

  /** A provider's key belongs to its origin: after a change of host it does not open. */
  const binding = (id: string, baseUrl: string) => `provider ${id} at ${new URL(baseUrl).origin}`;

  const savePrices = async (
    trx: StoreTransaction,
    { kind, subject, prices, path }: { kind: string; subject: string; prices: readonly PriceInput[]; path: string },
  ) => {
    const versions = prices.map((price, index) => priceVersionOf(price, `${kind} ${subject}`, `${path}[${index}]`));
    await store.insertNew(trx, 'price_versions', {
      columns: ['version', 'content', 'created_us'],
      rows: versions.map(({ version, content }) => [version.version, content, BigInt(clock.nowMs()) * 1000n]),
      key: 'version',
    });
    await trx.deleteFrom('price_list').where('kind', '=', kind).where('subject_id', '=', subject).execute();
    await store.insertNew(trx, 'price_list', {
      columns: ['kind', 'subject_id', 'position', 'version'],
      rows: versions.map(({ version }, index) => [kind, subject, BigInt(index), version.version]),
      key: 'kind,subject_id,position',
    });
  };

  const nextSlot = async (trx: StoreTransaction) => {
    const row = await trx
      .selectFrom('deployments')
      .select(({ fn }) => fn.max('slot').as('slot'))
      .executeTakeFirst();
    return (row?.slot ?? -1n) + 1n;
  };

  const catalog: Catalog = {
    async upsertProvider(trx, input) {
      checkProvider(input);
      const existing = await trx.selectFrom('providers').selectAll().where('id', '=', input.id).executeTakeFirst();
      const now = BigInt(clock.nowMs()) * 1000n;
      const kept = existing && existing.base_url === input.baseUrl ? existing.api_key_sealed : null;
      const row = {
        dialect: input.dialect,
        base_url: input.baseUrl,
        api_key_sealed: input.apiKey === undefined ? kept : seal.seal(input.apiKey, binding(input.id, input.baseUrl)),
        allow_private: input.allowPrivateNetwork ? 1n : 0n,
        quirks: JSON.stringify(input.quirks ?? []),
        updated_us: now,
      };
      if (existing) await trx.updateTable('providers').set(row).where('id', '=', input.id).execute();
      else
        await trx
          .insertInto('providers')
          .values({ id: input.id, created_us: now, ...row })
          .execute();
    },

    async upsertModel(trx, input) {
      checkModel(input);
      const row = {
        operations: JSON.stringify(input.operations ?? ['chat', 'completions']),
        context_tokens: input.contextTokens === undefined ? null : BigInt(input.contextTokens),
        max_output_tokens: BigInt(input.maxOutputTokens ?? MAX_OUTPUT_TOKENS),
        owned_by: 'millrace',
        removed_us: null,
      };
      const existing = await trx.selectFrom('models').select('id').where('id', '=', input.id).executeTakeFirst();
      if (existing) await trx.updateTable('models').set(row).where('id', '=', input.id).execute();
      else
        await trx
          .insertInto('models')
          .values({ id: input.id, created_us: BigInt(clock.nowMs()) * 1000n, ...row })
          .execute();
      await savePrices(trx, {
        kind: 'sell',
        subject: input.id,
        prices: input.prices,
        path: `models.${input.id}.prices`,
      });
      const ids = input.deployments.map(({ id }) => id);
      await trx
        .deleteFrom('deployments')
        .where('model_id', '=', input.id)
        .where('id', 'not in', ids.length > 0 ? ids : [''])
        .execute();
      for (const [index, deployment] of input.deployments.entries()) {
        const path = `models.${input.id}.deployments.${deployment.id}`;
        const was = await trx
          .selectFrom('deployments')
          .select(['model_id', 'slot'])
          .where('id', '=', deployment.id)
          .executeTakeFirst();
        if (was && was.model_id !== input.id)
          throw invalid(
            path,
            `the deployment id is taken by the model ${was.model_id}`,
            `该部署 ID 已被模型 ${was.model_id} 使用`,
          );
        if (
          deployment.provider !== undefined &&
          !(await trx.selectFrom('providers').select('id').where('id', '=', deployment.provider).executeTakeFirst())
        ) {
          throw invalid(
            `${path}.provider`,
            `there is no provider ${deployment.provider}`,
            `不存在提供商 ${deployment.provider}`,
          );
        }
        const values = {
          model_id: input.id,
          provider_id: deployment.provider ?? null,
          engine: deployment.engine === undefined ? null : JSON.stringify(deployment.engine),
          upstream_model: deployment.upstreamModel ?? input.id,
          concurrency: deployment.concurrency === undefined ? null : BigInt(deployment.concurrency),
          priority: BigInt(deployment.priority ?? 0),
          weight: BigInt(deployment.weight ?? 1),
          position: BigInt(index),
        };
        if (was) await trx.updateTable('deployments').set(values).where('id', '=', deployment.id).execute();
        else
          await trx
            .insertInto('deployments')
            .values({ id: deployment.id, slot: await nextSlot(trx), ...values })
            .execute();
        await savePrices(trx, {
          kind: 'cost',
          subject: deployment.id,
          prices: deployment.costs ?? [],
          path: `${path}.costs`,
        });
      }
    },

    holdsKey: ({ id, base_url, api_key_sealed }, apiKey) =>
      api_key_sealed !== null && seal.open(api_key_sealed, binding(id, base_url)) === apiKey,
    async listedPrices(trx, kind, subject) {
      const rows = await trx
        .selectFrom('price_list')
        .innerJoin('price_versions', 'price_versions.version', 'price_list.version')
        .select('content')
        .where('kind', '=', kind)
        .where('subject_id', '=', subject)
        .orderBy('position')
        .execute();
      return rows.map(({ content }) => readPriceVersion(content));
    },

    async refresh() {
      const { db } = store;
      const providers = new Map((await db.selectFrom('providers').selectAll().execute()).map(row => [row.id, row]));
      const listed = await db
        .selectFrom('price_list')
        .innerJoin('price_versions', 'price_versions.version', 'price_list.version')
        .select(['kind', 'subject_id', 'content'])
        .orderBy('position')
        .execute();
      const pricesOf = (kind: string, subject: string) =>
        listed
          .filter(row => row.kind === kind && row.subject_id === subject)
          .map(row => readPriceVersion(row.content))
          .toSorted((a, b) => a.effectiveFromMs - b.effectiveFromMs);
      const deployments = await db.selectFrom('deployments').selectAll().orderBy('position').execute();
      const upstreamOf = (row: (typeof deployments)[number]): Upstream | undefined => {
        if (row.engine !== null)
          return {
            providerId: 'engine',
            dialect: 'openai-chat',
            baseUrl: engineBaseUrl(row.id),
            allowPrivateNetwork: true,
            quirks: [],
          };
        const provider = providers.get(row.provider_id ?? '');
        if (!provider) return undefined;
        return {
          providerId: provider.id,
          dialect: 'openai-chat',
          baseUrl: provider.base_url,
          ...(provider.api_key_sealed === null
            ? {}
            : { apiKey: seal.open(provider.api_key_sealed, binding(provider.id, provider.base_url)) }),
          allowPrivateNetwork: provider.allow_private === 1n,
          quirks: JSON.parse(provider.quirks),
        };
      };
      const deploymentOf = (row: (typeof deployments)[number]): Deployment[] => {
        const upstream = upstreamOf(row);
        if (!upstream) return [];
        return [
          {
            id: row.id,
            upstream,
            upstreamModel: row.upstream_model,
            embedded: row.engine !== null,
            slot: Number(row.slot),
            ...(row.concurrency === null ? {} : { concurrency: Number(row.concurrency) }),
            priority: Number(row.priority),
            weight: Number(row.weight),
            timeoutMs: TIMEOUT_MS,
            costs: pricesOf('cost', row.id),
          },
        ];
      };
      const models = await db.selectFrom('models').selectAll().where('removed_us', 'is', null).orderBy('id').execute();
      current = {
        revision: current.revision + 1,
        models: new Map(
          models.map(row => [
            row.id,
            {
              id: row.id,
              operations: JSON.parse(row.operations),
              ...(row.context_tokens === null ? {} : { contextTokens: Number(row.context_tokens) }),
              maxOutputTokens: Number(row.max_output_tokens),
              createdAtMs: Number(row.created_us / 1000n),
              ownedBy: row.owned_by,
              prices: pricesOf('sell', row.id),
              deployments: deployments.filter(({ model_id }) => model_id === row.id).flatMap(deploymentOf),
            },
          ]),
        ),
      };
      engines = deployments.flatMap(row =>
        row.engine === null
          ? []
          : [
              {
                ...(JSON.parse(row.engine) as Omit<EngineDeployment, 'deploymentId' | 'modelId' | 'slot'>),
                deploymentId: row.id,
                modelId: row.model_id,
                slot: Number(row.slot),
              },
            ],
      );
      for (const listener of listeners) listener(current);
    },

    snapshot: () => current,
    onChange: listener => void listeners.push(listener),
    engines: () => engines,
    async providers() {
      const rows = await store.db.selectFrom('providers').selectAll().orderBy('id').execute();
      return rows.map(row => ({
        id: row.id,
        dialect: row.dialect,
        baseUrl: row.base_url,
        hasKey: row.api_key_sealed !== null,
        allowPrivateNetwork: row.allow_private === 1n,
        quirks: JSON.parse(row.quirks),
      }));
    },
    async priceVersion(version) {
      const row = await store.db
        .selectFrom('price_versions')
        .select('content')
        .where('version', '=', version)
        .executeTakeFirst();
      return row && readPriceVersion(row.content);
    },
  };
  await catalog.refresh();
  return catalog;
}

/** Shape and ranges of a provider. Throws Fault `config_invalid` with the path. */
export function checkProvider(input: ProviderInput): void {
  const path = `providers.${input.id}`;
  if (!SLUG.test(input.id))
    throw invalid(
      path,
      'an id is made of a-z, 0-9, dot, dash and underscore',
      'ID 只能由 a-z、0-9、点、短横线和下划线组成',
    );
  const url = URL.parse(input.baseUrl);
  if (
    !url ||
    (url.protocol !== 'http:' && url.protocol !== 'https:') ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw invalid(
      `${path}.baseUrl`,
      `"${input.baseUrl.slice(0, 128)}" is not an http(s) URL without user, query and fragment`,
      `“${input.baseUrl.slice(0, 128)}”不是有效的 http(s) 地址（不得包含用户名、查询或片段）`,
    );
  }
  const unknown = input.quirks?.find(quirk => !QUIRKS.includes(quirk));
  if (unknown !== undefined)
    throw invalid(
      `${path}.quirks`,
      `there is no quirk ${unknown}; known are ${QUIRKS.join(', ')}`,
      `不存在 ${unknown}；可用的有 ${QUIRKS.join('、')}`,
    );
}

/** Shape and ranges of a model. Throws Fault `config_invalid` with the path. */
export function checkModel(input: ModelInput): void {
  const path = `models.${input.id}`;
  if (!MODEL_ID.test(input.id)) throw invalid(path, 'not a model id', '不是有效的模型 ID');
  const unknown = input.operations?.find(operation => !OPERATIONS.includes(operation));
  if (unknown !== undefined)
    throw invalid(`${path}.operations`, `there is no operation ${unknown}`, `不存在操作 ${unknown}`);
  checkCount(`${path}.contextTokens`, input.contextTokens);
  checkCount(`${path}.maxOutputTokens`, input.maxOutputTokens);
  for (const [index, price] of input.prices.entries()) priceVersionOf(price, input.id, `${path}.prices[${index}]`);
  const seen = new Set<string>();
  for (const deployment of input.deployments) {
    const at = `${path}.deployments.${deployment.id}`;
    if (!SLUG.test(deployment.id))
      throw invalid(
        at,
        'an id is made of a-z, 0-9, dot, dash and underscore',
        'ID 只能由 a-z、0-9、点、短横线和下划线组成',
      );
    if (seen.has(deployment.id)) throw invalid(at, 'the id stands twice', 'ID 重复');
    seen.add(deployment.id);
    if ((deployment.provider === undefined) === (deployment.engine === undefined))
      throw invalid(at, 'name either a provider or an engine', '必须且只能指定 provider 或 engine 之一');
    checkCount(`${at}.concurrency`, deployment.concurrency);
    checkCount(`${at}.weight`, deployment.weight);
    for (const [index, cost] of (deployment.costs ?? []).entries())
      priceVersionOf(cost, deployment.id, `${at}.costs[${index}]`);
  }
}

function checkCount(path: string, count: number | undefined): void {
  if (count !== undefined && (!Number.isInteger(count) || count < 1 || count > COUNT_MAX))
    throw invalid(
      path,
      `${count} is not a whole number from 1 to ${COUNT_MAX}`,
      `${count} 不是 1 到 ${COUNT_MAX} 之间的整数`,
    );
}
