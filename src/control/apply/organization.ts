import { type Change, formatAmount, type OrganizationSpec, parseAmount, type WalletSpec } from '@millrace/contract';
import type { StoreTransaction } from '../../ground/store/index.ts';
import type { ControlDeps } from '../deps.ts';
import { changeOf, differences } from './difference.ts';

type Deps = Pick<ControlDeps, 'identity' | 'ledger'>;

/** Wallets named by an organization, however few. */
export function walletsIn({ wallet, wallets }: Pick<OrganizationSpec, 'wallet' | 'wallets'>): readonly WalletSpec[] {
  return wallets ?? (wallet ? [wallet] : []);
}

/** Sets an organization and its projects, and credits its wallets up to what the document says. */
export async function applyOrganization(deps: Deps, trx: StoreTransaction, spec: OrganizationSpec): Promise<Change[]> {
  const row = await trx
    .selectFrom('organizations')
    .select(['name', 'wallet_order'])
    .where('id', '=', spec.id)
    .executeTakeFirst();
  const name = spec.name ?? spec.id;
  // The order of several wallets is the order in which they pay; a single one leaves it as it is.
  const walletOrder =
    spec.wallets && spec.wallets.length > 1 ? spec.wallets.map(({ currency }) => currency) : undefined;
  const order = (wallets: string | null | undefined) => (walletOrder ? { wallets: wallets ?? null } : {});
  const fields = differences(row ? { name: row.name, ...order(row.wallet_order) } : {}, {
    name,
    ...order(walletOrder?.join(' ')),
  });
  if (!row || fields.length > 0) await deps.identity.upsertOrganization(trx, { id: spec.id, name, walletOrder });
  const changes = [changeOf('organization', spec.id, { before: row, fields })];
  for (const wallet of walletsIn(spec)) changes.push(await applyWallet(deps, trx, { organizationId: spec.id, wallet }));
  for (const project of spec.projects)
    changes.push(await applyProject(deps, trx, { organizationId: spec.id, project }));
  return changes;
}

async function applyProject(
  { identity }: Deps,
  trx: StoreTransaction,
  {
    organizationId,
    project,
  }: { readonly organizationId: string; readonly project: OrganizationSpec['projects'][number] },
): Promise<Change> {
  const row = await trx
    .selectFrom('projects')
    .select('name')
    .where('organization_id', '=', organizationId)
    .where('id', '=', project.id)
    .executeTakeFirst();
  const name = project.name ?? project.id;
  const fields = differences(row ? { name: row.name } : {}, { name });
  if (!row || fields.length > 0) await identity.upsertProject(trx, { organizationId, id: project.id, name });
  return changeOf('project', `${organizationId}/${project.id}`, { before: row, fields });
}

/**
 * Credits what is missing to the total, once: `credit: 100` credits 100 the first time and nothing after; raised to 150 it
 * credits 50. The total is part of the idempotency key, so two documents applied at once do not credit twice.
 */
async function applyWallet(
  { ledger }: Deps,
  trx: StoreTransaction,
  { organizationId, wallet: { currency, credit } }: { readonly organizationId: string; readonly wallet: WalletSpec },
): Promise<Change> {
  const id = `${organizationId}/${currency}`;
  const existed = await trx
    .selectFrom('accounts')
    .select('id')
    .where('kind', '=', 'wallet')
    .where('organization_id', '=', organizationId)
    .where('currency', '=', currency)
    .executeTakeFirst();
  await ledger.openWallet(trx, organizationId, currency);
  const credited = await ledger.configuredCredit(trx, organizationId, currency);
  const wanted = credit === undefined ? credited : (parseAmount(credit) ?? credited);
  if (wanted > credited)
    await ledger.credit(trx, {
      organizationId,
      currency,
      amountNano: wanted - credited,
      idempotencyKey: `${currency} up to ${formatAmount(wanted)}`,
      kind: 'config-credit',
      note: 'configuration',
    });
  const before = existed && { credit: formatAmount(credited) };
  return changeOf('wallet', id, { before, fields: differences(before ?? {}, { credit: formatAmount(wanted) }) });
}
