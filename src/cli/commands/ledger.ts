import { journalSchema, verifySchema } from '@millrace/contract';
import type { Command } from '../command.ts';
import { facts, table, time } from '../show.ts';

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
  flags: [],
  examples: ['journal inspect'],
  json: '{"nodeId","lastSeq","lag","storageFull","openIntents","open":[{"requestId","at","organizationId","model","currency","held","outputTokens"}]}',
  async run(call) {
    const client = await call.client();
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
