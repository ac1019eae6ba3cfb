import type { Clock } from '../std/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
import { checkModel, checkProvider } from './check.ts';
import type { ModelInput, ProviderInput } from './input.ts';
import { invalid, type PriceInput, priceVersionOf, readPriceVersion } from './price-version.ts';
import type { Seal } from './seal.ts';
import type { CatalogSnapshot, Deployment, PriceVersion, Quirk, Upstream } from './snapshot.ts';

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

const MAX_OUTPUT_TOKENS = 4_096;
const TIMEOUT_MS = { connect: 10_000, firstByte: 120_000, idle: 120_000, total: 1_800_000 };

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
