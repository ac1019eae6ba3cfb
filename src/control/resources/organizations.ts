import { organizationCreateSchema, projectCreateSchema } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { type ControlApp, readBody } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/organizations`, and the projects in each. */
export function organizationRoutes(app: ControlApp, { identity, store }: ControlDeps): void {
  app.get('/api/v1/organizations', async c => c.json({ organizations: await identity.organizations() }));

  app.post('/api/v1/organizations', async c => {
    const { id, name = id } = await readBody(c, organizationCreateSchema);
    await store.transaction(async trx => {
      if (await trx.selectFrom('organizations').select('id').where('id', '=', id).executeTakeFirst())
        throw new Fault('conflict', {
          message: `There is an organization ${id} already`,
          messageZh: `组织 ${id} 已存在`,
          param: 'id',
        });
      await identity.upsertOrganization(trx, { id, name });
    });
    return c.json({ id, name, suspended: false }, 201);
  });

  // Suspended: all its keys are refused, on every thread, when this returns.
  for (const [verb, suspended] of [
    ['suspend', true],
    ['resume', false],
  ] as const)
    app.post(`/api/v1/organizations/:organization/${verb}`, async c => {
      const id = c.req.param('organization');
      await identity.suspendOrganization(id, suspended);
      return c.json({ id, suspended });
    });

  app.get('/api/v1/organizations/:organization/projects', async c => {
    const organizationId = c.req.param('organization');
    const projects = await identity.projects(organizationId);
    return c.json({ projects: projects.map(({ id, name }) => ({ organizationId, id, name })) });
  });

  app.post('/api/v1/organizations/:organization/projects', async c => {
    const organizationId = c.req.param('organization');
    const { id, name = id } = await readBody(c, projectCreateSchema);
    if ((await identity.projects(organizationId)).some(project => project.id === id))
      throw new Fault('conflict', {
        message: `${organizationId} has a project ${id} already`,
        messageZh: `${organizationId} 已有项目 ${id}`,
        param: 'id',
      });
    await store.transaction(trx => identity.upsertProject(trx, { organizationId, id, name }));
    return c.json({ organizationId, id, name }, 201);
  });
}
