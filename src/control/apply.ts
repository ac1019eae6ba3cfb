import {
  type ApplyResult,
  type Change,
  type ConfigDocument,
  formatAmount,
  type ModelSpec,
  type OrganizationSpec,
  type ProviderSpec,
  parseAmount,
} from '@millrace/contract';
import { type DeploymentInput, type ModelInput, type PriceInput, showPrice } from '../catalog/index.ts';
import { Fault } from '../std/index.ts';
import type { StoreTransaction } from '../store/index.ts';
import type { ControlDeps } from './deps.ts';

type Field = Change['fields'][number];

/** Ends the transaction of a dry run: everything was tried, nothing stays. */
class DryRun extends Error {}

/**
 * Brings the store to what the document says: everything or, when one thing is wrong, nothing. Objects that the document does
 * not name are left alone. What a dry run reports is what the same transaction would do.
 */
export async function applyConfig(
  deps: ControlDeps,
  document: ConfigDocument,
  { dryRun }: { readonly dryRun: boolean },
): Promise<ApplyResult> {
  checkUnique(document);
  const changes: Change[] = [];
  try {
    await deps.store.transaction(async trx => {
      changes.length = 0;
      for (const provider of document.providers) changes.push(await applyProvider(deps, trx, provider));
      for (const model of document.models) changes.push(await applyModel(deps, trx, model));
      for (const organization of document.organizations)
        changes.push(...(await applyOrganization(deps, trx, organization)));
      if (dryRun) throw new DryRun();
    });
  } catch (error) {
    if (!(error instanceof DryRun)) throw error;
  }
  // In a dry run too: credits that were tried and rolled back are forgotten there.
  await deps.publish();
  return { dryRun, changed: changes.some(({ action }) => action !== 'unchanged'), changes };
}

function checkUnique({ providers, models, organizations }: ConfigDocument): void {
  for (const [name, list] of Object.entries({ providers, models, organizations })) {
    const seen = new Set<string>();
    for (const [index, { id }] of list.entries()) {
      if (seen.has(id))
        throw new Fault('config_invalid', {
          message: `${name}[${index}].id: ${id} stands twice`,
          messageZh: `${name}[${index}].id：${id} 重复`,
          param: `${name}[${index}].id`,
        });
      seen.add(id);
    }
  }
}

function change(
  kind: Change['kind'],
  id: string,
  { existed, fields }: { readonly existed: boolean; readonly fields: readonly Field[] },
): Change {
  return {
    kind,
    id,
    action: existed ? (fields.length > 0 ? 'changed' : 'unchanged') : 'created',
    fields: existed ? [...fields] : [],
  };
}

function differences(
  from: Readonly<Record<string, string | null>>,
  to: Readonly<Record<string, string | null>>,
): Field[] {
  return Object.keys(to).flatMap(field =>
    (from[field] ?? null) === (to[field] ?? null) ? [] : [{ field, from: from[field] ?? null, to: to[field] ?? null }],
  );
}

async function applyProvider({ catalog }: ControlDeps, trx: StoreTransaction, spec: ProviderSpec): Promise<Change> {
  const was = await trx.selectFrom('providers').selectAll().where('id', '=', spec.id).executeTakeFirst();
  const shown = {
    baseUrl: spec.baseUrl,
    dialect: spec.dialect,
    allowPrivateNetwork: String(spec.allowPrivateNetwork),
    quirks: spec.quirks.join(' '),
  };
  const before = was
    ? {
        baseUrl: was.base_url,
        dialect: was.dialect,
        allowPrivateNetwork: String(was.allow_private === 1n),
        quirks: (JSON.parse(was.quirks) as string[]).join(' '),
      }
    : {};
  const fields = differences(before, shown);
  if (was && spec.apiKey !== undefined && !catalog.holdsKey(was, spec.apiKey))
    fields.push({ field: 'apiKey', from: was.api_key_sealed === null ? null : '***', to: '***' });
  if (!was || fields.length > 0) await catalog.upsertProvider(trx, spec);
  return change('provider', spec.id, { existed: was !== undefined, fields });
}

async function showModel(
  { catalog }: ControlDeps,
  trx: StoreTransaction,
  id: string,
): Promise<Record<string, string | null> | undefined> {
  const model = await trx.selectFrom('models').selectAll().where('id', '=', id).executeTakeFirst();
  if (!model) return undefined;
  const prices = async (kind: string, subject: string) =>
    (await catalog.listedPrices(trx, kind, subject)).map(showPrice).join(', ');
  const shown: Record<string, string | null> = {
    operations: (JSON.parse(model.operations) as string[]).join(' '),
    contextTokens: model.context_tokens === null ? null : String(model.context_tokens),
    maxOutputTokens: String(model.max_output_tokens),
    prices: await prices('sell', id),
  };
  const rows = await trx.selectFrom('deployments').selectAll().where('model_id', '=', id).orderBy('position').execute();
  shown['deployments'] = rows.map(row => row.id).join(' ');
  for (const row of rows) {
    const at = `deployments.${row.id}`;
    shown[`${at}.target`] = row.engine === null ? `${row.provider_id} ${row.upstream_model}` : `engine ${row.engine}`;
    shown[`${at}.limits`] = `concurrency ${row.concurrency ?? '-'} priority ${row.priority} weight ${row.weight}`;
    shown[`${at}.costs`] = await prices('cost', row.id);
  }
  return shown;
}

const priceInput = (spec: ModelSpec['prices'][number]): PriceInput => spec;

async function applyModel(deps: ControlDeps, trx: StoreTransaction, spec: ModelSpec): Promise<Change> {
  const before = await showModel(deps, trx, spec.id);
  const deployments: DeploymentInput[] = spec.deployments.map(deployment => ({
    ...deployment,
    costs: deployment.costs.map(priceInput),
  }));
  const input: ModelInput = { ...spec, prices: spec.prices.map(priceInput), deployments };
  await deps.catalog.upsertModel(trx, input);
  const after = (await showModel(deps, trx, spec.id)) ?? {};
  const fields = before ? differences(before, after) : [];
  for (const field of Object.keys(before ?? {}))
    if (!(field in after)) fields.push({ field, from: before?.[field] ?? null, to: null });
  return change('model', spec.id, { existed: before !== undefined, fields });
}

async function applyOrganization(
  { identity, ledger }: ControlDeps,
  trx: StoreTransaction,
  spec: OrganizationSpec,
): Promise<Change[]> {
  const changes: Change[] = [];
  const was = await trx.selectFrom('organizations').selectAll().where('id', '=', spec.id).executeTakeFirst();
  const fields = was && spec.name !== undefined ? differences({ name: was.name }, { name: spec.name }) : [];
  if (!was || fields.length > 0) await identity.upsertOrganization(trx, spec);
  changes.push(change('organization', spec.id, { existed: was !== undefined, fields }));
  for (const wallet of spec.wallets ?? (spec.wallet ? [spec.wallet] : [])) {
    const existed =
      (await trx
        .selectFrom('accounts')
        .select('id')
        .where('id', '=', `wallet:${spec.id}:${wallet.currency}`)
        .executeTakeFirst()) !== undefined;
    await ledger.openWallet(trx, spec.id, wallet.currency);
    const credited = await ledger.configuredCredit(trx, spec.id, wallet.currency);
    const wanted = wallet.credit === undefined ? credited : (parseAmount(wallet.credit) ?? 0n);
    const path = `organizations.${spec.id}.wallet.credit`;
    if (wanted < credited) {
      throw new Fault('config_invalid', {
        message: `${path}: ${formatAmount(credited)} ${wallet.currency} were credited already; to take money back use: millrace wallet credit --org ${spec.id} --amount -…`,
        messageZh: `${path}：已充值 ${formatAmount(credited)} ${wallet.currency}；如需收回，请使用：millrace wallet credit --org ${spec.id} --amount -…`,
        param: path,
      });
    }
    if (wanted > credited) {
      await ledger.credit(trx, {
        organizationId: spec.id,
        currency: wallet.currency,
        amountNano: wanted - credited,
        idempotencyKey: `${wallet.currency} up to ${formatAmount(wanted)}`,
        kind: 'config-credit',
        note: 'configuration',
      });
    }
    changes.push(
      change('wallet', `${spec.id}/${wallet.currency}`, {
        existed,
        fields: wanted > credited ? [{ field: 'credit', from: formatAmount(credited), to: formatAmount(wanted) }] : [],
      }),
    );
  }
  for (const project of spec.projects) {
    const row = await trx
      .selectFrom('projects')
      .selectAll()
      .where('organization_id', '=', spec.id)
      .where('id', '=', project.id)
      .executeTakeFirst();
    const projectFields =
      row && project.name !== undefined ? differences({ name: row.name }, { name: project.name }) : [];
    if (!row || projectFields.length > 0) await identity.upsertProject(trx, { organizationId: spec.id, ...project });
    changes.push(change('project', `${spec.id}/${project.id}`, { existed: row !== undefined, fields: projectFields }));
  }
  return changes;
}
