import { providerAddSchema } from '@millrace/contract';
import { Fault, nearest } from '../../ground/std/index.ts';
import { knownProviders } from '../../models/catalog/index.ts';
import { applyConfig } from '../apply/apply.ts';
import { type ControlApp, readBody } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/providers`: whose APIs are called. Several at once, with models and prices, come through `/api/v1/config/apply`. */
export function providerRoutes(app: ControlApp, deps: ControlDeps): void {
  const { catalog, store } = deps;

  app.get('/api/v1/providers', async c => c.json({ providers: await catalog.providers() }));

  app.get('/api/v1/providers/known', async c => {
    const added = new Set((await catalog.providers()).map(({ id }) => id));
    return c.json({ providers: knownProviders().map(known => ({ ...known, added: added.has(known.id) })) });
  });

  app.post('/api/v1/providers', async c => {
    const { provider, replace } = await readBody(c, providerAddSchema);
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
    return c.json({ ...added, replaced: replaced !== undefined }, 201);
  });

  app.delete('/api/v1/providers/:id', async c => {
    const id = c.req.param('id');
    if (!(await store.transaction(trx => catalog.removeProvider(trx, id))))
      throw new Fault('not_found', { message: `There is no provider ${id}`, messageZh: `不存在供应商 ${id}` });
    await deps.publish();
    return c.json({ id, removed: true });
  });
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
