import type { ControlApp } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/providers`: whose APIs are called. They are made and changed through `/api/v1/config/apply`. */
export function providerRoutes(app: ControlApp, { catalog }: ControlDeps): void {
  app.get('/api/v1/providers', async c => c.json({ providers: await catalog.providers() }));
}
