import { backupSchema } from '@millrace/contract';
import { requireOwner } from '../access.ts';
import { type Access, type ControlApp, readBody } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/backup`: the whole home into a new folder on the server's disk, while it runs. */
export function backupRoutes(app: ControlApp, { loader, backup }: ControlDeps, access: Access): void {
  app.use('/api/v1/backup', requireOwner(access));
  app.post('/api/v1/backup', async c => {
    const { folder } = await readBody(c, backupSchema);
    await loader.flush();
    await backup(folder);
    return c.json({ folder });
  });
}
