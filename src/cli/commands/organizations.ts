import {
  organizationListSchema,
  organizationViewSchema,
  projectListSchema,
  projectViewSchema,
  suspendedSchema,
} from '@millrace/contract';
import type { Words } from '../../control/index.ts';
import { type Command, type Flag, ORG } from '../command.ts';
import { facts, listText } from '../show.ts';

const NAME: Flag = { name: 'name', value: 'NAME', about: { en: 'what people call it', zh: '名称' } };
const ID = { name: 'ID', about: { en: 'a-z, 0-9, "." "_" "-"', zh: 'a-z、0-9、“.”、“_”、“-”' } };
const ORGANIZATION_COLUMNS = {
  en: [{ title: 'ID' }, { title: 'NAME' }, { title: 'STATE' }],
  zh: [{ title: 'ID' }, { title: '名称' }, { title: '状态' }],
};
const STATE = {
  en: { active: 'active', suspended: 'suspended' },
  zh: { active: '正常', suspended: '已停用' },
} as const;
const COLUMNS = { en: [{ title: 'ID' }, { title: 'NAME' }], zh: [{ title: 'ID' }, { title: '名称' }] };

/** Path of an organization in the control API. */
export function organizationPath(id: string): string {
  return `/api/v1/organizations/${encodeURIComponent(id)}`;
}

function suspension(verb: 'suspend' | 'resume', about: Words): Command {
  return {
    name: `org ${verb}`,
    about,
    operands: [ID],
    flags: [],
    examples: [`org ${verb} acme`],
    json: '{"id","suspended"}',
    async run(call) {
      const client = await call.client();
      const [id = ''] = call.operands;
      const answer = await client.call(suspendedSchema, 'POST', `${organizationPath(id)}/${verb}`);
      const words = answer.suspended ? { en: 'suspended', zh: '已停用' } : { en: 'resumed', zh: '已恢复' };
      call.answer(answer, () => facts([[words[call.lang], answer.id]]));
      return 0;
    },
  };
}

export const ORGANIZATION_COMMANDS: readonly Command[] = [
  {
    name: 'org create',
    about: { en: 'add an organization: who pays', zh: '新增组织，即付费方' },
    operands: [ID],
    flags: [NAME],
    fields: { id: 'ID', name: '--name' },
    examples: ['org create acme --name "Acme Inc."'],
    json: '{"id","name","suspended"}',
    async run(call) {
      const client = await call.client();
      const body = { id: call.operands[0], name: call.optional('name') };
      const made = await client.call(organizationViewSchema, 'POST', '/api/v1/organizations', body);
      call.answer(made, () => facts([[call.lang === 'zh' ? '已创建组织' : 'created organization', made.id]]));
      return 0;
    },
  },
  {
    name: 'org list',
    about: { en: 'organizations, and whether they are suspended', zh: '列出组织及其是否停用' },
    flags: [],
    examples: ['org list'],
    json: '{"organizations":[{"id","name","suspended"}]}',
    async run(call) {
      const client = await call.client();
      const answer = await client.call(organizationListSchema, 'GET', '/api/v1/organizations');
      call.answer(answer, () =>
        listText(
          call.lang,
          ORGANIZATION_COLUMNS[call.lang],
          answer.organizations.map(({ id, name, suspended }) => [
            id,
            name,
            STATE[call.lang][suspended ? 'suspended' : 'active'],
          ]),
        ),
      );
      return 0;
    },
  },
  suspension('suspend', {
    en: 'refuse all keys of an organization from now on',
    zh: '立即停用组织的全部密钥',
  }),
  suspension('resume', { en: 'let a suspended organization go on', zh: '恢复已停用的组织' }),
  {
    name: 'project create',
    about: { en: 'add a project to an organization', zh: '在组织中新增项目' },
    operands: [ID],
    flags: [ORG, NAME],
    fields: { id: 'ID', name: '--name' },
    examples: ['project create web --org acme'],
    json: '{"organizationId","id","name"}',
    async run(call) {
      const client = await call.client();
      const body = { id: call.operands[0], name: call.optional('name') };
      const path = `${organizationPath(call.text('org'))}/projects`;
      const made = await client.call(projectViewSchema, 'POST', path, body);
      const title = call.lang === 'zh' ? '已创建项目' : 'created project';
      call.answer(made, () => facts([[title, `${made.organizationId}/${made.id}`]]));
      return 0;
    },
  },
  {
    name: 'project list',
    about: { en: 'projects of an organization', zh: '列出组织的项目' },
    flags: [ORG],
    examples: ['project list --org acme'],
    json: '{"projects":[{"organizationId","id","name"}]}',
    async run(call) {
      const client = await call.client();
      const answer = await client.call(projectListSchema, 'GET', `${organizationPath(call.text('org'))}/projects`);
      call.answer(answer, () =>
        listText(
          call.lang,
          COLUMNS[call.lang],
          answer.projects.map(({ id, name }) => [id, name]),
        ),
      );
      return 0;
    },
  },
];
