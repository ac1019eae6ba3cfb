import { Fault } from '../../ground/std/index.ts';
import { raiseRevision, type StoreTransaction } from '../../ground/store/index.ts';
import type { ProviderInput } from './input.ts';
import type { Seal } from './seal.ts';

/** A provider's key belongs to its origin: sealed to it, it opens for no other host. */
export function keyBinding(id: string, baseUrl: string): string {
  return `provider ${id} at ${new URL(baseUrl).origin}`;
}

/** The sealed key of a provider's row. Throws Fault `config_invalid` where it does not open. */
export function openKey(
  seal: Seal,
  {
    id,
    base_url,
    api_key_sealed,
  }: { readonly id: string; readonly base_url: string; readonly api_key_sealed: string | null },
): string | undefined {
  return api_key_sealed === null ? undefined : seal.open(api_key_sealed, keyBinding(id, base_url));
}

/** Takes a provider out, with its key. False where there is none. Throws Fault `conflict` while deployments call it. */
export async function removeProvider(trx: StoreTransaction, id: string): Promise<boolean> {
  const calling = await trx
    .selectFrom('deployments')
    .select(['id', 'model_id'])
    .where('provider_id', '=', id)
    .execute();
  const [first] = calling;
  if (first)
    throw new Fault('conflict', {
      message: `${id} is called by ${calling.length === 1 ? `the deployment ${first.id} of ${first.model_id}` : `${calling.length} deployments, such as ${first.id} of ${first.model_id}`}: remove that first`,
      messageZh: `${id} 正被${calling.length === 1 ? ` ${first.model_id} 的部署 ${first.id} ` : ` ${calling.length} 个部署（如 ${first.model_id} 的 ${first.id}）`}使用：请先移除`,
    });
  const { numDeletedRows } = await trx.deleteFrom('providers').where('id', '=', id).executeTakeFirst();
  if (numDeletedRows === 0n) return false;
  await raiseRevision(trx, 'catalog');
  return true;
}

/** Sets a provider. Without a key the one that is there stays, unless the base URL is another. */
export async function saveProvider(
  trx: StoreTransaction,
  input: ProviderInput,
  { seal, nowMs }: { readonly seal: Seal; readonly nowMs: number },
): Promise<void> {
  const existing = await trx
    .selectFrom('providers')
    .select(['base_url', 'api_key_sealed'])
    .where('id', '=', input.id)
    .executeTakeFirst();
  const kept = existing?.base_url === input.baseUrl ? existing.api_key_sealed : null;
  const row = {
    dialect: input.dialect,
    base_url: input.baseUrl,
    api_key_sealed: input.apiKey === undefined ? kept : seal.seal(input.apiKey, keyBinding(input.id, input.baseUrl)),
    allow_private: input.allowPrivateNetwork ? 1n : 0n,
    quirks: JSON.stringify(input.quirks ?? []),
    updated_us: BigInt(nowMs) * 1000n,
  };
  await trx
    .insertInto('providers')
    .values({ id: input.id, created_us: row.updated_us, ...row })
    .onConflict(known => known.column('id').doUpdateSet(row))
    .execute();
}
