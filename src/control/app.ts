import { configSchema, formatAmount, parseAmount } from '@millrace/contract';
import { type Context, Hono } from 'hono';
import * as z from 'zod';
import { readUsage, verifyLedger } from '../ledger/index.ts';
import { Fault, toFault } from '../std/index.ts';
import { applyConfig } from './apply.ts';
import type { ControlDeps } from './deps.ts';
import { renderMetrics } from './metrics.ts';
import { renderPage } from './page.ts';

/** `owner`: the socket that only the owner of the home may open. `public`: what gateway threads hand on from the network. */
export type Access = 'owner' | 'public';

const slug = z.string().min(1).max(64);
const decimal = z.string().regex(/^-?\d{1,10}(\.\d{1,9})?$/, 'must be a decimal number');
const positive = z.int().min(1).max(1_000_000_000);
const newKey = z.strictObject({
  organization: slug,
  project: slug,
  name: z.string().max(128).optional(),
  models: z.array(z.string().max(128)).max(1_000).optional(),
  ipRanges: z.array(z.string().max(64)).max(1_000).optional(),
  requestsPerMinute: positive.optional(),
  tokensPerMinute: positive.optional(),
  concurrency: positive.optional(),
  budget: z
    .strictObject({
      currency: z.string().regex(/^[A-Z]{3}$/),
      amount: decimal,
      period: z.enum(['total', 'day', 'month']),
    })
    .optional(),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
});
const credit = z.strictObject({
  currency: z.string().regex(/^[A-Z]{3}$/),
  amount: decimal,
  idempotencyKey: z.string().min(1).max(200).optional(),
  note: z.string().max(200).optional(),
});
const BODY_BYTES_MAX = 8 * 1024 * 1024;

/** The control API, one per access. Every answer is JSON of a stable shape; amounts are decimal strings. */
export function createControlApp(deps: ControlDeps, access: Access): Hono {
  const app = new Hono();
  const { identity, ledger, catalog, loader, store } = deps;
  app.onError((error, c) => renderFault(deps, error, c));
  app.notFound(c => renderFault(deps, new Fault('not_found'), c));
  app.get('/', c => {
    c.header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    c.header('x-content-type-options', 'nosniff');
    c.header('vary', 'accept-language');
    return c.html(renderPage(deps, { lang: langOf(c), host: c.req.header('host') ?? '' }));
  });
  app.get('/healthz', c => c.json({ ok: true }));
  app.get('/readyz', c => {
    const reasons = notReady(deps);
    return c.json({ ready: reasons.length === 0, reasons }, reasons.length === 0 ? 200 : 503);
  });
  app.use('/metrics', (c, next) => requireAdmin(deps, access, c, { loopback: true }).then(next));
  app.get('/metrics', c => c.text(renderMetrics(deps), 200, { 'content-type': 'text/plain; version=0.0.4' }));
  app.use('/api/*', (c, next) => requireAdmin(deps, access, c, { loopback: false }).then(next));

  app.get('/api/v1/organizations', async c => c.json({ organizations: await identity.organizations() }));
  app.post('/api/v1/organizations', async c => {
    const input = await body(c, z.strictObject({ id: slug, name: z.string().max(128).optional() }));
    await store.transaction(trx => identity.upsertOrganization(trx, input));
    return c.json({ id: input.id }, 201);
  });
  app.get('/api/v1/organizations/:org/projects', async c =>
    c.json({ projects: await identity.projects(c.req.param('org')) }),
  );
  app.post('/api/v1/organizations/:org/projects', async c => {
    const input = await body(c, z.strictObject({ id: slug, name: z.string().max(128).optional() }));
    await store.transaction(trx => identity.upsertProject(trx, { organizationId: c.req.param('org'), ...input }));
    return c.json({ id: input.id }, 201);
  });

  app.get('/api/v1/keys', async c =>
    c.json({
      keys: (await identity.keys(c.req.query('organization'))).map(key => ({
        ...key,
        scopes: shownScopes(key.scopes),
      })),
    }),
  );
  app.post('/api/v1/keys', async c => {
    const { organization, project, name, expiresAt, budget, ...scopes } = await body(c, newKey);
    const given = Object.fromEntries(Object.entries(scopes).filter(([, value]) => value !== undefined));
    const created = await identity.createKey({
      organizationId: organization,
      projectId: project,
      name,
      scopes: {
        ...given,
        ...(budget
          ? {
              budget: {
                currency: budget.currency,
                period: budget.period,
                amountNano: amountOf(budget.amount, 'budget'),
              },
            }
          : {}),
      },
      ...(expiresAt === undefined ? {} : { expiresAtMs: Date.parse(expiresAt) }),
    });
    return c.json(created, 201);
  });
  app.post('/api/v1/admin-keys', async c =>
    c.json(await identity.createAdminKey((await body(c, z.strictObject({ name: z.string().max(128) }))).name), 201),
  );
  app.delete('/api/v1/keys/:id', async c => {
    await identity.revokeKey(c.req.param('id'));
    return c.json({ id: c.req.param('id'), revoked: true });
  });

  app.get('/api/v1/organizations/:org/wallets', async c => {
    await identity.projects(c.req.param('org'));
    await loader.flush();
    return c.json({ wallets: (await ledger.balances(c.req.param('org'))).map(shownWallet) });
  });
  app.post('/api/v1/organizations/:org/wallets/credit', async c => {
    const org = c.req.param('org');
    await identity.projects(org);
    const input = await body(c, credit);
    const amountNano = amountOf(input.amount, 'amount');
    await loader.flush();
    const booked = await store.transaction(async trx => {
      await ledger.openWallet(trx, org, input.currency);
      return ledger.credit(trx, {
        organizationId: org,
        currency: input.currency,
        amountNano,
        idempotencyKey: input.idempotencyKey ?? crypto.randomUUID(),
        note: input.note,
      });
    });
    await deps.publish();
    const wallet = (await ledger.balances(org)).find(({ currency }) => currency === input.currency);
    return c.json({ booked, ...(wallet ? shownWallet(wallet) : {}) }, 201);
  });

  app.get('/api/v1/providers', async c => c.json({ providers: await catalog.providers() }));
  app.get('/api/v1/models', c =>
    c.json({ models: [...catalog.snapshot().models.values()].map(model => shownModel(deps, model)) }),
  );
  app.post('/api/v1/models/inspect', async c =>
    c.json(await deps.inspectModel((await body(c, z.strictObject({ file: z.string().max(4_096) }))).file)),
  );
  app.post('/api/v1/config/apply', async c => {
    const { config, dryRun } = await body(
      c,
      z.strictObject({ config: z.unknown(), dryRun: z.boolean().default(false) }),
    );
    return c.json(await applyConfig(deps, parse(configSchema, config ?? {}, c, 'config_invalid'), { dryRun }));
  });

  app.get('/api/v1/usage', async c => {
    const query = parse(
      z.strictObject({
        organization: slug,
        project: slug.optional(),
        model: z.string().optional(),
        from: z.string().optional(),
        to: z.string().optional(),
        limit: z.coerce.number().int().min(1).max(1_000).default(100),
        cursor: z.string().optional(),
      }),
      c.req.query(),
      c,
    );
    await identity.projects(query.organization);
    await loader.flush();
    const found = await readUsage(store, {
      organizationId: query.organization,
      projectId: query.project,
      model: query.model,
      fromMs: timeOf(query.from, 'from'),
      toMs: timeOf(query.to, 'to'),
      limit: query.limit,
      cursor: query.cursor,
    });
    return c.json({
      totals: found.totals.map(({ revenueNano, costNano, ...rest }) => ({
        ...rest,
        revenue: formatAmount(revenueNano),
        cost: formatAmount(costNano),
        margin: formatAmount(revenueNano - costNano),
      })),
      lines: found.lines.map(({ amountNano, costNano, ...rest }) => ({
        ...rest,
        amount: formatAmount(amountNano),
        cost: costNano === null ? null : formatAmount(costNano),
        margin: costNano === null ? null : formatAmount(amountNano - costNano),
      })),
      next: found.next,
    });
  });
  app.post('/api/v1/ledger/verify', async c => {
    await loader.flush();
    const { ok, invariants } = await verifyLedger(store, {
      nodeId: deps.journal.nodeId,
      reader: deps.journal.reader,
      nowMs: deps.clock.nowMs(),
    });
    return c.json({
      ok,
      invariants: invariants.map(invariant => ({ ...invariant, title: invariant.title[langOf(c)] })),
    });
  });
  app.get('/api/v1/journal', async c =>
    c.json({
      nodeId: deps.journal.nodeId,
      lastSeq: deps.journal.reader.lastSeq(),
      lag: loader.lag(),
      openIntents: (await loader.openIntents()).length,
      storageFull: deps.slots.node.get('storageFull') !== 0,
    }),
  );
  app.post('/api/v1/backup', async c => {
    const { folder } = await body(c, z.strictObject({ folder: z.string().min(1).max(4_096) }));
    await loader.flush();
    await deps.backup(folder);
    return c.json({ folder });
  });
  return app;
}

function notReady({ slots, catalog }: ControlDeps): string[] {
  const reasons: string[] = [];
  if (slots.node.get('draining') !== 0) reasons.push('draining');
  if (slots.node.get('storageFull') !== 0) reasons.push('storage_full');
  for (const { deploymentId, slot } of catalog.engines())
    if (slots.deployments.get(slot, 'ready') !== 1) reasons.push(`engine ${deploymentId} is loading`);
  return reasons;
}

/** Owner: always. Public: an admin key; `loopback` lets the machine itself in without. Throws `invalid_api_key`. */
async function requireAdmin(
  { identity }: ControlDeps,
  access: Access,
  c: Context,
  { loopback }: { readonly loopback: boolean },
): Promise<void> {
  if (access === 'owner') return;
  if (loopback && /^(127\.|::1$|::ffff:127\.)/.test(c.req.header('x-millrace-client-ip') ?? '')) return;
  const key = /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (key === undefined || !(await identity.verifyAdmin(key)))
    throw new Fault('invalid_api_key', {
      message: 'The control API wants an admin key',
      messageZh: '控制 API 需要管理密钥',
    });
}

function langOf(c: Context): 'en' | 'zh' {
  const asked = c.req.query('lang');
  if (asked === 'en' || asked === 'zh') return asked;
  return /^\s*zh\b/i.test(c.req.header('accept-language') ?? '') ? 'zh' : 'en';
}

async function body<S extends z.ZodType>(c: Context, schema: S): Promise<z.output<S>> {
  const text = await c.req.text();
  if (text.length > BODY_BYTES_MAX) throw new Fault('payload_too_large');
  let value: unknown;
  try {
    value = JSON.parse(text === '' ? '{}' : text);
  } catch (cause) {
    throw new Fault('malformed_request', { message: 'The body is no JSON', messageZh: '请求体不是 JSON', cause });
  }
  return parse(schema, value, c);
}

/** The first issue as one sentence, with its path. */
function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  c: Context,
  code: 'invalid_parameter' | 'config_invalid' = 'invalid_parameter',
): z.output<S> {
  const result = schema.safeParse(value, langOf(c) === 'zh' ? { error: z.locales.zhCN().localeError } : undefined);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = (issue?.path ?? [])
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`))
    .join('');
  const own =
    issue?.code === 'custom' && typeof issue.params?.['zh'] === 'string' ? issue.params['zh'] : issue?.message;
  throw new Fault(code, {
    message: `${path === '' ? '' : `${path}: `}${issue?.message}`,
    messageZh: `${path === '' ? '' : `${path}：`}${own}`,
    param: path,
  });
}

function amountOf(text: string, param: string): bigint {
  const nano = parseAmount(text);
  if (nano === undefined)
    throw new Fault('invalid_parameter', {
      message: `${param}: "${text}" is not an amount`,
      messageZh: `${param}：“${text}”不是金额`,
      param,
    });
  return nano;
}

function timeOf(text: string | undefined, param: string): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new Fault('invalid_parameter', {
      message: `${param}: "${text.slice(0, 64)}" is no time such as 2026-01-01T00:00:00Z`,
      messageZh: `${param}：“${text.slice(0, 64)}”不是时间（如 2026-01-01T00:00:00Z）`,
      param,
    });
  return ms;
}

const shownWallet = (wallet: {
  readonly currency: string;
  readonly balanceNano: bigint;
  readonly heldNano: bigint;
  readonly availableNano: bigint;
}) => ({
  currency: wallet.currency,
  balance: formatAmount(wallet.balanceNano),
  held: formatAmount(wallet.heldNano),
  available: formatAmount(wallet.availableNano),
});

function shownScopes(scopes: {
  readonly budget?: { readonly amountNano: bigint; readonly currency: string; readonly period: string };
}): object {
  const { budget, ...rest } = scopes;
  return budget
    ? { ...rest, budget: { currency: budget.currency, period: budget.period, amount: formatAmount(budget.amountNano) } }
    : rest;
}

function shownModel(
  { slots }: ControlDeps,
  model: ReturnType<ControlDeps['catalog']['snapshot']>['models'] extends ReadonlyMap<string, infer M> ? M : never,
): object {
  const prices = (list: typeof model.prices) =>
    list.map(({ version, currency, nanoPerMillion, effectiveFromMs }) => ({
      version,
      currency,
      inputPerM: formatAmount(nanoPerMillion.input),
      cachedInputPerM: nanoPerMillion.cachedInput === undefined ? null : formatAmount(nanoPerMillion.cachedInput),
      outputPerM: formatAmount(nanoPerMillion.output),
      effectiveFrom: new Date(effectiveFromMs).toISOString(),
    }));
  return {
    id: model.id,
    operations: model.operations,
    contextTokens: model.contextTokens ?? null,
    maxOutputTokens: model.maxOutputTokens,
    prices: prices(model.prices),
    deployments: model.deployments.map(({ id, upstream, upstreamModel, embedded, slot, costs }) => ({
      id,
      provider: upstream.providerId,
      upstreamModel,
      ready: !embedded || slots.deployments.get(slot, 'ready') === 1,
      inFlight: slots.deployments.get(slot, 'inFlight'),
      costs: prices(costs),
    })),
  };
}

function renderFault({ log }: ControlDeps, error: unknown, c: Context): Response {
  const fault = toFault(error);
  if (fault.code === 'internal') log.error('control-failed', { path: c.req.path, internal: fault.details.internal });
  return c.json(
    { error: { code: fault.code, message: fault.messageIn(langOf(c)), param: fault.details.param ?? null } },
    fault.status as 400,
  );
}
