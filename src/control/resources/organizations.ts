import type { ROUTES } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { mayTouch } from '../../people/identity/index.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';

/** Organizations, and the projects in each. */
export function organizationHandlers({ identity, store }: ControlDeps): Handlers<typeof ROUTES.organizations> {
  const suspend = async (id: string, suspended: boolean) => {
    await identity.suspendOrganization(id, suspended);
    return { id, suspended };
  };
  return {
    async list({ principal }) {
      const all = await identity.organizations();
      return { organizations: all.filter(({ id }) => mayTouch(principal, id)) };
    },
    async create({ body: { id, name = id } }) {
      await store.transaction(async trx => {
        if (await trx.selectFrom('organizations').select('id').where('id', '=', id).executeTakeFirst())
          throw new Fault('conflict', {
            message: `There is an organization ${id} already`,
            messageZh: `组织 ${id} 已存在`,
            param: 'id',
          });
        await identity.upsertOrganization(trx, { id, name });
      });
      return { id, name, suspended: false };
    },
    // Suspended: all its keys are refused, on every thread, when this returns.
    suspend: ({ params }) => suspend(params.organization, true),
    resume: ({ params }) => suspend(params.organization, false),
    async projects({ params: { organization: organizationId } }) {
      const projects = await identity.projects(organizationId);
      return { projects: projects.map(({ id, name }) => ({ organizationId, id, name })) };
    },
    async createProject({ params: { organization: organizationId }, body: { id, name = id } }) {
      if ((await identity.projects(organizationId)).some(project => project.id === id))
        throw new Fault('conflict', {
          message: `${organizationId} has a project ${id} already`,
          messageZh: `${organizationId} 已有项目 ${id}`,
          param: 'id',
        });
      await store.transaction(trx => identity.upsertProject(trx, { organizationId, id, name }));
      return { organizationId, id, name };
    },
  };
}
