import { SLUG } from '@millrace/contract';
import { type Clock, Fault } from '../../ground/std/index.ts';
import { raiseRevision, type Store, type StoreTransaction } from '../../ground/store/index.ts';

/** Largest weight of a tenant in the fair queue. */
const WEIGHT_MAX = 1_000;

export interface OrganizationInput {
  readonly id: string;
  readonly name?: string | undefined;
  /** Share of the fair queue against others, 1 to 1000; 1 unless set. */
  readonly weight?: number | undefined;
  /** Currencies of its wallets in the order in which they pay; those that are not named come last, by their codes. */
  readonly walletOrder?: readonly string[] | undefined;
}

export interface ProjectInput {
  readonly organizationId: string;
  readonly id: string;
  readonly name?: string | undefined;
}

/** What is left out stays as it is. Throws Fault `config_invalid`. */
export async function upsertOrganization(
  trx: StoreTransaction,
  { id, name, weight, walletOrder }: OrganizationInput,
  { nowMs }: Clock,
): Promise<void> {
  checkId(id, 'organizations');
  if (weight !== undefined && (!Number.isInteger(weight) || weight < 1 || weight > WEIGHT_MAX))
    throw new Fault('config_invalid', {
      message: `organizations.${id}.weight: ${weight} is not a whole number from 1 to ${WEIGHT_MAX}`,
      messageZh: `organizations.${id}.weight：${weight} 不是 1 到 ${WEIGHT_MAX} 之间的整数`,
      param: `organizations.${id}.weight`,
    });
  const revision = await raiseRevision(trx, 'identity');
  const given = {
    ...(name === undefined ? {} : { name }),
    ...(weight === undefined ? {} : { weight: BigInt(weight) }),
    ...(walletOrder === undefined ? {} : { wallet_order: walletOrder.join(' ') }),
  };
  await trx
    .insertInto('organizations')
    .values({
      id,
      name: id,
      weight: 1n,
      suspended: 0n,
      created_us: BigInt(nowMs()) * 1000n,
      wallet_order: null,
      ...given,
      revision,
    })
    .onConflict(conflict => conflict.column('id').doUpdateSet({ ...given, revision }))
    .execute();
}

/** Throws Fault `config_invalid`, `not_found`. */
export async function upsertProject(
  trx: StoreTransaction,
  { organizationId, id, name }: ProjectInput,
  { nowMs }: Clock,
): Promise<void> {
  checkId(id, `organizations.${organizationId}.projects`);
  await requireOrganization(trx, organizationId);
  const project = { organization_id: organizationId, id, name: name ?? id, created_us: BigInt(nowMs()) * 1000n };
  await trx
    .insertInto('projects')
    .values(project)
    .onConflict(conflict => {
      const known = conflict.columns(['organization_id', 'id']);
      return name === undefined ? known.doNothing() : known.doUpdateSet({ name });
    })
    .execute();
}

/** A suspended organization's keys stop as if revoked; they start again when it is resumed. Throws Fault `not_found`. */
export async function setSuspended(trx: StoreTransaction, id: string, suspended: boolean): Promise<void> {
  const revision = await raiseRevision(trx, 'identity');
  const { numUpdatedRows } = await trx
    .updateTable('organizations')
    .set({ suspended: suspended ? 1n : 0n, revision })
    .where('id', '=', id)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw noOrganization(id);
}

export async function listOrganizations({
  db,
}: Pick<Store, 'db'>): Promise<readonly { readonly id: string; readonly name: string; readonly suspended: boolean }[]> {
  const rows = await db.selectFrom('organizations').select(['id', 'name', 'suspended']).orderBy('id').execute();
  return rows.map(({ id, name, suspended }) => ({ id, name, suspended: suspended === 1n }));
}

export async function requireOrganization(db: Store['db'], id: string): Promise<void> {
  if (!(await db.selectFrom('organizations').select('id').where('id', '=', id).executeTakeFirst()))
    throw noOrganization(id);
}

export async function requireProject(db: Store['db'], { organizationId, id }: ProjectInput): Promise<void> {
  await requireOrganization(db, organizationId);
  const row = await db
    .selectFrom('projects')
    .select('id')
    .where('organization_id', '=', organizationId)
    .where('id', '=', id)
    .executeTakeFirst();
  if (!row)
    throw new Fault('not_found', {
      message: `The organization ${organizationId} has no project ${id}`,
      messageZh: `组织 ${organizationId} 没有项目 ${id}`,
    });
}

function checkId(id: string, path: string): void {
  if (SLUG.test(id)) return;
  const shown = id.slice(0, 64);
  throw new Fault('config_invalid', {
    message: `${path}: "${shown}" is no id: use a-z, 0-9, dot, dash and underscore`,
    messageZh: `${path}：“${shown}”不是有效 ID：只能使用 a-z、0-9、点、短横线和下划线`,
    param: path,
  });
}

function noOrganization(id: string): Fault {
  return new Fault('not_found', { message: `There is no organization ${id}`, messageZh: `不存在组织 ${id}` });
}
