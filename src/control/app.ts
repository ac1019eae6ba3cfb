import { Hono } from 'hono';
import { Fault } from '../ground/std/index.ts';
import { guard, requireAdmin, requireAdminOrLoopback } from './access.ts';
import { backupRoutes } from './backup/backup.ts';
import type { Access, ControlApp } from './context.ts';
import type { ControlDeps } from './deps.ts';
import { metricsRoutes } from './metrics/metrics.ts';
import { pageRoutes } from './page/page.ts';
import { renderFault } from './render-fault.ts';
import { configRoutes } from './resources/config.ts';
import { healthRoutes, statusRoutes } from './resources/health.ts';
import { keyRoutes } from './resources/keys.ts';
import { ledgerRoutes } from './resources/ledger.ts';
import { modelRoutes } from './resources/models.ts';
import { organizationRoutes } from './resources/organizations.ts';
import { providerRoutes } from './resources/providers.ts';
import { suspenseRoutes } from './resources/suspense.ts';
import { usageRoutes } from './resources/usage.ts';
import { walletRoutes } from './resources/wallets.ts';

/** The control API and the page at `/`, one app per access. Every answer but page and metrics is JSON of a stable shape. */
export function createControlApp(deps: ControlDeps, access: Access): ControlApp {
  const app: ControlApp = new Hono();
  app.onError((error, c) => renderFault(deps.log, error, c));
  app.notFound(c => {
    const allowed = methodsAt(app, c.req.path);
    if (allowed.length === 0) throw nothingAt(c.req.path);
    throw new Fault('method_not_allowed', { headers: { allow: allowed.join(', ') } });
  });
  app.use(guard(deps, access));
  pageRoutes(app, deps);
  healthRoutes(app, deps);
  app.use('/metrics', access === 'owner' ? requireAdmin : requireAdminOrLoopback);
  metricsRoutes(app, deps);
  app.use('/api/*', requireAdmin);
  statusRoutes(app, deps, access);
  organizationRoutes(app, deps);
  keyRoutes(app, deps);
  walletRoutes(app, deps);
  modelRoutes(app, deps);
  providerRoutes(app, deps);
  configRoutes(app, deps);
  usageRoutes(app, deps);
  ledgerRoutes(app, deps);
  suspenseRoutes(app, deps);
  backupRoutes(app, deps, access);
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

/** Where clients come to whose base URL lacks its `/v1`. */
const MODEL_API = /^\/(?:chat\/completions|completions|embeddings|models(?:\/.*)?)$/;

function nothingAt(path: string): Fault {
  if (!MODEL_API.test(path)) return new Fault('not_found');
  return new Fault('not_found', {
    message: `Nothing is served at ${path.slice(0, 128)}: the base URL of the model API ends in /v1`,
    messageZh: `${path.slice(0, 128)} 没有服务：模型 API 的基础地址应以 /v1 结尾`,
  });
}
