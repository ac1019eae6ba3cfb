import {
  formatAmount,
  type KeyScopesSpec,
  type KeyView,
  parseAmount,
  parseDate,
  type ROUTES,
} from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import type { KeyScopes } from '../../people/callers/index.ts';
import type { KeyEntry } from '../../people/identity/index.ts';
import type { ControlDeps } from '../deps.ts';
import { noOrganization } from '../routes/authorize.ts';
import type { Handlers } from '../routes/mount.ts';

/** Keys: made, listed, changed, revoked. A key's text is in the answer that made it and nowhere else. */
export function keyHandlers({ identity }: ControlDeps): Handlers<typeof ROUTES.keys> {
  const views = async (organization?: string) => {
    const organizations = await identity.organizations();
    const suspended = new Set(organizations.flatMap(one => (one.suspended ? [one.id] : [])));
    const keys = await identity.keys(organization);
    return keys.map(key => keyView(key, suspended.has(key.organizationId ?? '')));
  };
  const find = async (id: string) => (await views()).find(key => key.id === id);
  return {
    async list({ query: { organization } }) {
      // Throws `not_found`: nobody and no keys are two answers.
      if (organization !== undefined) await identity.projects(organization);
      return { keys: await views(organization) };
    },
    async create({ body: { expiresAt, scopes, ...input }, touch }) {
      touch(input.organizationId, () => noOrganization(input.organizationId));
      const expiresAtMs = expiresAt === undefined ? undefined : parseDate(expiresAt);
      return identity.createKey({ ...input, scopes: scopesOf(scopes), expiresAtMs });
    },
    createAdmin: ({ body: { name, role, organization } }) =>
      identity.createAdminKey({ name, role, organizationId: organization }),
    async change({ params: { id }, body: { name, expiresAt, scopes }, touch }) {
      touch((await find(id))?.organizationId ?? null, () => noKey(id));
      const { budget, ...rest } = scopes;
      await identity.changeKey(id, {
        name,
        expiresAtMs: typeof expiresAt === 'string' ? parseDate(expiresAt) : expiresAt,
        scopes: budget === undefined ? rest : { ...rest, budget: budget && budgetOf(budget) },
      });
      const changed = await find(id);
      if (!changed) throw noKey(id);
      return changed;
    },
    async revoke({ params: { id }, touch }) {
      touch((await find(id))?.organizationId ?? null, () => noKey(id));
      await identity.revokeKey(id);
      return { id, revoked: true };
    },
  };
}

function noKey(id: string): Fault {
  return new Fault('not_found', { message: `There is no key ${id}`, messageZh: `不存在密钥 ${id}` });
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

function keyView({ scopes, createdAtMs, expiresAtMs, revokedAtMs, ...rest }: KeyEntry, suspended: boolean): KeyView {
  const { budget, role, models, ipRanges, ...plain } = scopes;
  const shown = budget && {
    currency: budget.currency,
    amount: formatAmount(budget.amountNano),
    period: budget.period,
  };
  return {
    ...rest,
    kind: rest.kind === 'admin' ? 'admin' : 'live',
    role: rest.kind === 'admin' ? (role ?? 'admin') : null,
    scopes: {
      ...plain,
      ...(models ? { models: [...models] } : {}),
      ...(ipRanges ? { ipRanges: [...ipRanges] } : {}),
      ...(shown ? { budget: shown } : {}),
    },
    createdAt: new Date(createdAtMs).toISOString(),
    expiresAt: time(expiresAtMs),
    revokedAt: time(revokedAtMs),
    suspended,
  };
}

const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
