import { journalRequestSchema, journalSchema, verifySchema } from '@millrace/contract';
import type { Command } from '../command.ts';
import { facts, flat, table, time } from '../show.ts';

export const verify: Command = {
  name: 'ledger verify',
  about: {
    en: 'prove that the books are right; exit code 1 when they are not',
    zh: '证明账目正确；若有错误，退出码为 1',
  },
  flags: [],
  examples: ['ledger verify', 'ledger verify --json'],
  json: '{"ok","invariants":[{"id","title","ok","checked","detail"}]}',
  async run(call) {
    const client = await call.client();
    const answer = await client.call(verifySchema, 'POST', '/api/v1/ledger/verify');
    const zh = call.lang === 'zh';
    const titles = zh ? ['', '', '不变量', '已检查'] : ['', '', 'INVARIANT', 'CHECKED'];
    call.answer(answer, () => {
      const rows = answer.invariants.map(({ id, ok, title, checked, detail }) => [
        ok ? '✓' : '✗',
        id,
        ok ? title : `${title}: ${detail}`,
        String(checked),
      ]);
      const verdict = answer.ok
        ? zh
          ? '账目正确。'
          : 'The books are right.'
        : zh
          ? '账目有误。'
          : 'The books are NOT right.';
      return `${table(
        titles.map((title, index) => ({ title, right: index === 3 })),
        rows,
      )}\n\n${verdict}`;
    });
    return answer.ok ? 0 : 1;
  },
};

export const inspect: Command = {
  name: 'journal inspect',
  about: { en: "the node's durable log: how far it is, what is open", zh: '查看节点的持久日志：进度与未结请求' },
  flags: [
    {
      name: 'request',
      value: 'ID',
      about: { en: 'all that was written about one request', zh: '显示某个请求的全部记录' },
    },
  ],
  examples: ['journal inspect', 'journal inspect --request 0199f3c2-7d1e-7c4a-b0a4-3c1d2e4f5a6b'],
  json: '{"nodeId","lastSeq","lag","storageFull","openIntents","open":[{"requestId","at","organizationId","model","currency","held","outputTokens"}]}',
  jsonMore: {
    en: 'with --request: {"requestId","entries":[{"seq","kind", …}]}',
    zh: '使用 --request 时：{"requestId","entries":[{"seq","kind", …}]}',
  },
  async run(call) {
    const client = await call.client();
    const request = call.optional('request');
    if (request !== undefined) {
      const path = `/api/v1/journal/requests/${encodeURIComponent(request)}`;
      const answer = await client.call(journalRequestSchema, 'GET', path);
      call.answer(answer, () => answer.entries.map(entryText).join('\n\n'));
      return 0;
    }
    const answer = await client.call(journalSchema, 'GET', '/api/v1/journal');
    const zh = call.lang === 'zh';
    call.answer(answer, () => {
      const head = facts([
        [zh ? '节点' : 'node', answer.nodeId],
        [zh ? '最新序号' : 'newest entry', String(answer.lastSeq)],
        [zh ? '尚未入账' : 'not in the ledger yet', String(answer.lag)],
        [zh ? '未结请求' : 'open requests', String(answer.openIntents)],
        [zh ? '磁盘已满' : 'disk full', answer.storageFull ? (zh ? '是' : 'yes') : zh ? '否' : 'no'],
      ]);
      if (answer.open.length === 0) return head;
      const titles = zh
        ? ['请求', '开始于', '组织', '模型', '已输出', '预留']
        : ['REQUEST', 'SINCE', 'ORG', 'MODEL', 'OUTPUT', 'HELD'];
      const rows = answer.open.map(open => [
        open.requestId,
        time(open.at),
        open.organizationId,
        open.model,
        String(open.outputTokens),
        `${open.held} ${open.currency}`,
      ]);
      return `${head}\n\n${table(
        titles.map((title, index) => ({ title, right: index > 3 })),
        rows,
      )}`;
    });
    return 0;
  },
};

/** The names are those of `--json`, so that both can be talked about. */
function entryText({ seq, kind, ...fields }: { readonly seq: number; readonly kind: string }): string {
  const lines = facts(flat(fields).map(([name, value]) => [`  ${name}`, value]));
  return `${seq} ${kind}\n${lines}`;
}
