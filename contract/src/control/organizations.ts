import * as z from 'zod';
import { route } from './route.ts';
import { nameText, slugText } from './values.ts';

export const organizationCreateSchema = z.strictObject({ id: slugText, name: nameText.exactOptional() });
export const organizationViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** All its keys are refused. */
  suspended: z.boolean(),
});
export const suspendedSchema = z.object({ id: z.string(), suspended: z.boolean() });
export const organizationListSchema = z.object({ organizations: z.array(organizationViewSchema) });

export const projectCreateSchema = z.strictObject({ id: slugText, name: nameText.exactOptional() });
export const projectViewSchema = z.object({ organizationId: z.string(), id: z.string(), name: z.string() });
export const projectListSchema = z.object({ projects: z.array(projectViewSchema) });

export const organizationRoutes = {
  list: route({
    method: 'GET',
    path: '/api/v1/organizations',
    permission: 'organizations.read',
    tenant: 'open',
    summary: {
      en: 'All organizations; one’s own for who is bound to one',
      zh: '所有组织；绑定组织的密钥只能看到自己的组织',
    },
    answer: organizationListSchema,
  }),
  create: route({
    method: 'POST',
    path: '/api/v1/organizations',
    permission: 'organizations.write',
    tenant: 'platform',
    summary: { en: 'Makes an organization', zh: '创建组织' },
    body: organizationCreateSchema,
    answer: organizationViewSchema,
    status: 201,
    idempotency: 'key',
    audit: 'organization.create',
  }),
  suspend: route({
    method: 'POST',
    path: '/api/v1/organizations/:organization/suspend',
    permission: 'organizations.write',
    tenant: 'platform',
    summary: {
      en: 'Stops an organization: all its keys are refused when this returns',
      zh: '暂停组织：返回时其所有密钥均已停用',
    },
    answer: suspendedSchema,
    idempotency: 'natural',
    audit: 'organization.suspend',
  }),
  resume: route({
    method: 'POST',
    path: '/api/v1/organizations/:organization/resume',
    permission: 'organizations.write',
    tenant: 'platform',
    summary: { en: 'Lets a suspended organization go on', zh: '恢复被暂停的组织' },
    answer: suspendedSchema,
    idempotency: 'natural',
    audit: 'organization.resume',
  }),
  projects: route({
    method: 'GET',
    path: '/api/v1/organizations/:organization/projects',
    permission: 'organizations.read',
    tenant: { param: 'organization' },
    summary: { en: 'The projects of an organization', zh: '组织的项目' },
    answer: projectListSchema,
  }),
  createProject: route({
    method: 'POST',
    path: '/api/v1/organizations/:organization/projects',
    permission: 'organizations.write',
    tenant: { param: 'organization' },
    summary: { en: 'Makes a project', zh: '创建项目' },
    body: projectCreateSchema,
    answer: projectViewSchema,
    status: 201,
    idempotency: 'key',
    audit: 'project.create',
  }),
} as const;
