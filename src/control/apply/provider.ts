import type { Change, ProviderSpec } from '@millrace/contract';
import type { StoreTransaction } from '../../ground/store/index.ts';
import type { ControlDeps } from '../deps.ts';
import { changeOf, differences } from './difference.ts';

/** Sets a provider. Its key is compared sealed with given, and shown as `***`. */
export async function applyProvider(
  { catalog }: Pick<ControlDeps, 'catalog'>,
  trx: StoreTransaction,
  spec: ProviderSpec,
): Promise<Change> {
  const row = await trx.selectFrom('providers').selectAll().where('id', '=', spec.id).executeTakeFirst();
  const quirks: readonly string[] = row ? JSON.parse(row.quirks) : [];
  const before = row && {
    dialect: row.dialect,
    baseUrl: row.base_url,
    allowPrivateNetwork: String(row.allow_private === 1n),
    quirks: quirks.join(' ') || null,
  };
  const after = {
    dialect: spec.dialect,
    baseUrl: spec.baseUrl,
    allowPrivateNetwork: String(spec.allowPrivateNetwork),
    quirks: spec.quirks.join(' ') || null,
  };
  const fields = differences(before ?? {}, after);
  const hadKey = row !== undefined && row.api_key_sealed !== null;
  // A key belongs to its address: the catalog drops it when the address changes and none is given anew.
  const losesKey = hadKey && spec.apiKey === undefined && row.base_url !== spec.baseUrl;
  const newKey = spec.apiKey !== undefined && !(row && catalog.holdsKey(row, spec.apiKey));
  if (losesKey || newKey) fields.push({ field: 'apiKey', from: hadKey ? '***' : null, to: newKey ? '***' : null });
  if (!row || fields.length > 0) await catalog.upsertProvider(trx, spec);
  return changeOf('provider', spec.id, { before, fields });
}
