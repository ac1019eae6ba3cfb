import { ROUTES } from '@millrace/contract';
import { Hono } from 'hono';
import { Fault } from '../ground/std/index.ts';
import { guard, requireNodeRead, requireNodeReadOrLoopback } from './access.ts';
import type { Access, ControlApp } from './context.ts';
import type { ControlDeps } from './deps.ts';
import { metricsRoutes } from './metrics/metrics.ts';
import { pageRoutes } from './page/page.ts';
import { renderFault } from './render-fault.ts';
import { auditHandlers } from './resources/audit.ts';
import { configHandlers } from './resources/config.ts';
import { healthRoutes, nodeHandlers } from './resources/health.ts';
import { jobHandlers } from './resources/jobs.ts';
import { keyHolderRoutes } from './resources/key-holder.ts';
import { keyHandlers } from './resources/keys.ts';
import { ledgerHandlers } from './resources/ledger.ts';
import { modelHandlers } from './resources/models.ts';
import { organizationHandlers } from './resources/organizations.ts';
import { providerHandlers } from './resources/providers.ts';
import { usageHandlers } from './resources/usage.ts';
import { walletHandlers } from './resources/wallets.ts';
import { unknownCaller } from './routes/authorize.ts';
import { createIdempotentAnswers } from './routes/idempotent-answers.ts';
import { type Handlers, mountRoutes } from './routes/mount.ts';
import { openapiOf } from './routes/openapi.ts';

/** One set of handlers for each noun of the table: what is missing does not compile. */
type AllHandlers = { readonly [Noun in keyof typeof ROUTES]: Handlers<(typeof ROUTES)[Noun]> };

function handlersOf(deps: ControlDeps, access: Access): AllHandlers {
  return {
    node: nodeHandlers(deps, access),
    organizations: organizationHandlers(deps),
    keys: keyHandlers(deps),
    wallets: walletHandlers(deps),
    models: modelHandlers(deps),
    providers: providerHandlers(deps),
    config: configHandlers(deps),
    usage: usageHandlers(deps),
    ledger: ledgerHandlers(deps),
    jobs: jobHandlers(deps),
    audit: auditHandlers(deps),
  };
}

/** The control API and the page at `/`, one app per access. Every answer but page and metrics is JSON of a stable shape. */
export function createControlApp(deps: ControlDeps, access: Access): ControlApp {
  const app: ControlApp = new Hono();
  app.onError((error, c) => renderFault(deps.log, error, c));
  app.notFound(c => {
    // Whoever nobody knows learns of no path what is there.
    if (c.req.path.startsWith('/api/') && !c.get('principal')) throw unknownCaller();
    const allowed = methodsAt(app, c.req.path);
    if (allowed.length === 0) throw nothingAt(c.req.path);
    throw new Fault('method_not_allowed', { headers: { allow: allowed.join(', ') } });
  });
  app.use(guard(deps, access));
  pageRoutes(app, deps);
  healthRoutes(app, deps);
  app.use('/metrics', access === 'owner' ? requireNodeRead : requireNodeReadOrLoopback);
  metricsRoutes(app, deps);
  keyHolderRoutes(app, deps, access);
  app.get('/api/v1/openapi.json', c => c.json(openapiOf(ROUTES, deps.version)));
  const mounting = { audit: deps.audit, answers: createIdempotentAnswers(deps) };
  const handlers = handlersOf(deps, access);
  mountRoutes(app, mounting, { routes: ROUTES.node, handlers: handlers.node });
  mountRoutes(app, mounting, { routes: ROUTES.organizations, handlers: handlers.organizations });
  mountRoutes(app, mounting, { routes: ROUTES.keys, handlers: handlers.keys });
  mountRoutes(app, mounting, { routes: ROUTES.wallets, handlers: handlers.wallets });
  mountRoutes(app, mounting, { routes: ROUTES.models, handlers: handlers.models });
  mountRoutes(app, mounting, { routes: ROUTES.providers, handlers: handlers.providers });
  mountRoutes(app, mounting, { routes: ROUTES.config, handlers: handlers.config });
  mountRoutes(app, mounting, { routes: ROUTES.usage, handlers: handlers.usage });
  mountRoutes(app, mounting, { routes: ROUTES.ledger, handlers: handlers.ledger });
  mountRoutes(app, mounting, { routes: ROUTES.jobs, handlers: handlers.jobs });
  mountRoutes(app, mounting, { routes: ROUTES.audit, handlers: handlers.audit });
  return app;
}

/** Methods that a path would take: another method there is a mistake of another kind than a path that is not there. */
function methodsAt(app: ControlApp, path: string): readonly string[] {
  // A parameter is one part of the path; with a pattern of its own, as model ids have, it may be several.
  const matches = (pattern: string) =>
    new RegExp(`^${pattern.replace(/:\w+\{\.\+\}/g, '.+').replace(/:\w+/g, '[^/]+')}$`).test(path);
  return [
    ...new Set(app.routes.filter(route => route.method !== 'ALL' && matches(route.path)).map(route => route.method)),
  ];
}

/** Where clients come to whose base URL is not the model API's: it lacks its `/v1`, or has more than that. */
const MODEL_API = /(?:^|\/)(chat\/completions|completions|embeddings|responses|models(?:\/.*)?|v1)\/*$/i;

function nothingAt(path: string): Fault {
  const asked = MODEL_API.exec(path.slice(0, 128));
  if (!asked || path.startsWith('/api/')) return new Fault('not_found');
  return new Fault('not_found', {
    message: `Nothing is served at ${path.slice(0, 128)}: the base URL of the model API ends in /v1, as in /v1/chat/completions`,
    messageZh: `${path.slice(0, 128)} 没有服务：模型 API 的基础地址应以 /v1 结尾，例如 /v1/chat/completions`,
  });
}
