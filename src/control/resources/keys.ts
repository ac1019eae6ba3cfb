import {
  adminKeyCreateSchema,
  formatAmount,
  type KeyScopesSpec,
  keyCreateSchema,
  keyListQuerySchema,
  keyUpdateSchema,
  parseAmount,
  parseDate,
} from '@millrace/contract';
import type { KeyEntry, KeyScopes } from '../../people/identity/index.ts';
import { type ControlApp, readBody, readQuery } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/keys`: made, listed, revoked. A key's text is in the answer that made it and nowhere else. */
export function keyRoutes(app: ControlApp, { identity }: ControlDeps): void {
  app.get('/api/v1/keys', async c => {
    const { organization } = readQuery(c, keyListQuerySchema);
    // Throws `not_found`: nobody and no keys are two answers.
    if (organization !== undefined) await identity.projects(organization);
    const organizations = await identity.organizations();
    const suspended = new Set(organizations.flatMap(one => (one.suspended ? [one.id] : [])));
    const keys = await identity.keys(organization);
    return c.json({ keys: keys.map(key => keyView(key, suspended.has(key.organizationId ?? ''))) });
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

  app.patch('/api/v1/keys/:id', async c => {
    const id = c.req.param('id');
    const { name, expiresAt, scopes } = await readBody(c, keyUpdateSchema);
    const { budget, ...rest } = scopes;
    await identity.changeKey(id, {
      name,
      expiresAtMs: typeof expiresAt === 'string' ? parseDate(expiresAt) : expiresAt,
      scopes: budget === undefined ? rest : { ...rest, budget: budget && budgetOf(budget) },
    });
    const changed = (await identity.keys()).find(key => key.id === id);
    return c.json(changed ? keyView(changed, false) : { id });
  });

  app.delete('/api/v1/keys/:id', async c => {
    const id = c.req.param('id');
    await identity.revokeKey(id);
    return c.json({ id, revoked: true });
  });
}

function scopesOf({ budget, ...rest }: KeyScopesSpec): KeyScopes {
  return budget ? { ...rest, budget: budgetOf(budget) } : rest;
}

function budgetOf({
  currency,
  period,
  amount,
}: NonNullable<KeyScopesSpec['budget']>): NonNullable<KeyScopes['budget']> {
  return { currency, period, amountNano: parseAmount(amount) ?? 0n };
}

function keyView({ scopes, createdAtMs, expiresAtMs, revokedAtMs, ...rest }: KeyEntry, suspended: boolean): object {
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
    suspended,
  };
}

const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
