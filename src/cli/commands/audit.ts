import { ROUTES } from '@millrace/contract';
import type { Command } from '../command.ts';
import { listText, time } from '../show.ts';

const list: Command = {
  name: 'audit list',
  about: { en: 'who did what, newest first', zh: '操作审计，最新的在前' },
  flags: [
    { name: 'org', value: 'ID', about: { en: 'only of this organization', zh: '仅限该组织' } },
    { name: 'actor', value: 'ID', about: { en: 'only by this key or person', zh: '仅限该密钥或人员' } },
    {
      name: 'limit',
      value: 'N',
      about: { en: '50 unless told otherwise, 200 at most', zh: '默认 50 条，最多 200 条' },
    },
    { name: 'cursor', value: 'NEXT', about: { en: 'goes on where the last page ended', zh: '从上一页结束处继续' } },
  ],
  fields: { organization: '--org', actor: '--actor', limit: '--limit', cursor: '--cursor' },
  examples: ['audit list', 'audit list --org acme --limit 20'],
  json: '{"entries":[{"seq","at","actor","role","action","organizationId","object","outcome","detail","address"}],"next"}',
  async run(call) {
    const [organization, actor, cursor, limit] = ['org', 'actor', 'cursor', 'limit'].map(name => call.optional(name));
    const query = {
      ...(organization === undefined ? {} : { organization }),
      ...(actor === undefined ? {} : { actor }),
      ...(cursor === undefined ? {} : { cursor }),
      ...(limit === undefined ? {} : { limit }),
    };
    const client = await call.client();
    const answer = await client.ask(ROUTES.audit.list, { query });
    const titles =
      call.lang === 'zh'
        ? ['时间', '操作者', '角色', '操作', '对象', '结果']
        : ['TIME', 'ACTOR', 'ROLE', 'ACTION', 'OBJECT', 'OUTCOME'];
    call.answer(answer, () =>
      listText(
        call.lang,
        titles.map(title => ({ title })),
        answer.entries.map(({ at, actor: who, role, action, organizationId, object, outcome }) => [
          ...[time(at), who, role, action],
          organizationId === null || object === organizationId ? object : `${organizationId} ${object}`,
          outcome,
        ]),
      ),
    );
    return 0;
  },
};

const verify: Command = {
  name: 'audit verify',
  about: {
    en: 'walk the chain of the audit log: nothing was changed or removed',
    zh: '校验审计日志的哈希链：没有内容被修改或删除',
  },
  flags: [],
  examples: ['audit verify'],
  json: '{"ok","checked","brokenAt"}',
  async run(call) {
    const client = await call.client();
    const answer = await client.ask(ROUTES.audit.verify, {});
    const zh = call.lang === 'zh';
    call.answer(answer, () =>
      answer.ok
        ? zh
          ? `审计日志完好：共 ${answer.checked} 条。`
          : `The audit log is whole: ${answer.checked} entries.`
        : zh
          ? `审计日志从第 ${answer.brokenAt} 条起与写入时不符。`
          : `The audit log is not what was written, from entry ${answer.brokenAt} on.`,
    );
    return answer.ok ? 0 : 1;
  },
};

export const AUDIT_COMMANDS: readonly Command[] = [list, verify];
