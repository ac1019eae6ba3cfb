import type { ROUTES } from '@millrace/contract';
import { Fault, nearest } from '../../ground/std/index.ts';
import { knownProviders } from '../../models/catalog/index.ts';
import { applyConfig } from '../apply/apply.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';

/** Whose APIs are called. Several at once, with models and prices, come through `config.apply`. */
export function providerHandlers(deps: ControlDeps): Handlers<typeof ROUTES.providers> {
  const { catalog, store } = deps;
  return {
    list: async () => ({ providers: await catalog.providers() }),
    async known() {
      const added = new Set((await catalog.providers()).map(({ id }) => id));
      return { providers: knownProviders().map(known => ({ ...known, added: added.has(known.id) })) };
    },
    async add({ body: { provider, replace } }) {
      refuseUnknown(provider);
      let replaced: string | undefined;
      const { changes } = await applyConfig(
        deps,
        { providers: [provider] },
        {
          dryRun: false,
          async before(trx) {
            const id = idOf(provider);
            replaced = (await trx.selectFrom('providers').select('id').where('id', '=', id).executeTakeFirst())?.id;
            if (replaced !== undefined && !replace) throw isThere(id);
          },
        },
      );
      const added = (await catalog.providers()).find(({ id }) => id === changes[0]?.id);
      if (!added) throw noProvider(idOf(provider));
      return { ...added, replaced: replaced !== undefined };
    },
    async remove({ params: { id } }) {
      if (!(await store.transaction(trx => catalog.removeProvider(trx, id)))) throw noProvider(id);
      await deps.publish();
      return { id, removed: true };
    },
  };
}

function noProvider(id: string): Fault {
  return new Fault('not_found', { message: `There is no provider ${id}`, messageZh: `不存在供应商 ${id}` });
}

/** Without an address it must be a vendor that is known: what was mistyped is said, not that a field is missing. */
function refuseUnknown(provider: unknown): void {
  const id = idOf(provider);
  const known = knownProviders().map(one => one.id);
  const hasAddress = typeof provider === 'object' && provider !== null && 'baseUrl' in provider;
  if (id === '' || hasAddress || known.includes(id)) return;
  const meant = nearest(id, known);
  throw new Fault('invalid_parameter', {
    message: `baseUrl: is missing, and ${JSON.stringify(id.slice(0, 64))} is no vendor that is known${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    messageZh: `baseUrl：缺失，且“${id.slice(0, 64)}”不是已知供应商${meant === undefined ? '' : `，是否想写 ${meant}？`}`,
    param: 'baseUrl',
  });
}

const idOf = (provider: unknown) =>
  typeof provider === 'object' && provider !== null && 'id' in provider ? String(provider.id) : '';

function isThere(id: string): Fault {
  return new Fault('conflict', {
    message: `There is a provider ${id} already: choose another id, or set it anew (--replace)`,
    messageZh: `供应商 ${id} 已存在：请另选 ID，或用 --replace 替换它`,
    param: 'id',
  });
}
