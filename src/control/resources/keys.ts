import {
  adminKeyCreateSchema,
  formatAmount,
  type KeyScopesSpec,
  keyCreateSchema,
  keyListQuerySchema,
  parseAmount,
  parseDate,
} from '@millrace/contract';
import type { KeyScopes } from '../../people/callers/index.ts';
import type { KeyEntry } from '../../people/identity/index.ts';
import { type ControlApp, readBody, readQuery } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/keys`: made, listed, revoked. A key's text is in the answer that made it and nowhere else. */
export function keyRoutes(app: ControlApp, { identity }: ControlDeps): void {
  app.get('/api/v1/keys', async c => {
    const { organization } = readQuery(c, keyListQuerySchema);
    // Throws `not_found`: nobody and no keys are two answers.
    if (organization !== undefined) await identity.projects(organization);
    return c.json({ keys: (await identity.keys(organization)).map(keyView) });
  });

  app.post('/api/v1/keys', async c => {
    const { expiresAt, scopes, ...input } = await readBody(c, keyCreateSchema);
    const expiresAtMs = expiresAt === undefined ? undefined : parseDate(expiresAt);
    return c.json(await identity.createKey({ ...input, scopes: scopesOf(scopes), expiresAtMs }), 201);
  });

  app.post('/api/v1/admin-keys', async c => {
    const { name } = await readBody(c, adminKeyCreateSchema);
    return c.json(await identity.createAdminKey(name), 201);
  });

  app.delete('/api/v1/keys/:id', async c => {
    const id = c.req.param('id');
    await identity.revokeKey(id);
    return c.json({ id, revoked: true });
  });
}

function scopesOf({ budget, ...rest }: KeyScopesSpec): KeyScopes {
  if (!budget) return rest;
  const { currency, period, amount } = budget;
  return { ...rest, budget: { currency, period, amountNano: parseAmount(amount) ?? 0n } };
}

function keyView({ scopes, createdAtMs, expiresAtMs, revokedAtMs, ...rest }: KeyEntry): object {
  const { budget, ...plain } = scopes;
  const shown = budget && {
    currency: budget.currency,
    amount: formatAmount(budget.amountNano),
    period: budget.period,
  };
  return {
    ...rest,
    scopes: shown ? { ...plain, budget: shown } : plain,
    createdAt: time(createdAtMs),
    expiresAt: time(expiresAtMs),
    revokedAt: time(revokedAtMs),
  };
}

const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
