import { usageSchema } from '@millrace/contract';
import { type Command, ORG } from '../command.ts';
import { table, time } from '../show.ts';

const FILTERS = ['project', 'model', 'from', 'to', 'limit', 'cursor'] as const;

const TITLES = {
  en: {
    totals: ['CURRENCY', 'REQUESTS', 'INPUT', 'CACHED', 'OUTPUT', 'REVENUE', 'COST', 'MARGIN'],
    lines: ['TIME', 'MODEL', 'PROJECT', 'OUTCOME', 'INPUT', 'CACHED', 'OUTPUT', 'AMOUNT', 'COST', ''],
    none: 'Nothing was used.',
    next: 'Older lines:',
  },
  zh: {
    totals: ['币种', '请求数', '输入', '缓存', '输出', '收入', '成本', '毛利'],
    lines: ['时间', '模型', '项目', '结果', '输入', '缓存', '输出', '金额', '成本', ''],
    none: '没有用量。',
    next: '更早的记录：',
  },
} as const;

/** Outcomes in the reader's words; an unknown one as it is. */
const OUTCOMES_ZH: Readonly<Record<string, string>> = {
  ok: '成功',
  failed: '失败',
  'client-gone': '客户端断开',
  'cut-off': '预留用尽',
  recovered: '重启后结算',
};

export const usage: Command = {
  name: 'usage',
  about: { en: 'what an organization used, what it paid, and what that cost', zh: '查看组织的用量、收费与成本' },
  flags: [
    ORG,
    { name: 'project', value: 'ID', about: { en: 'only this project', zh: '仅此项目' } },
    { name: 'model', value: 'ID', about: { en: 'only this model', zh: '仅此模型' } },
    {
      name: 'from',
      value: 'DATE',
      about: { en: 'settled from this day or time on', zh: '结算时间不早于此日期或时间' },
    },
    { name: 'to', value: 'DATE', about: { en: 'settled before this day or time', zh: '结算时间早于此日期或时间' } },
    {
      name: 'limit',
      value: 'N',
      about: { en: 'lines, 1 to 1000; 100 unless said', zh: '明细条数，1 到 1000，默认 100' },
    },
    { name: 'cursor', value: 'C', about: { en: 'the `next` of the page before', zh: '上一页返回的 `next`' } },
  ],
  fields: {
    organization: '--org',
    from: '--from',
    to: '--to',
    limit: '--limit',
    cursor: '--cursor',
    model: '--model',
    project: '--project',
  },
  examples: ['usage --org acme', 'usage --org acme --from 2026-01-01 --to 2026-02-01 --json'],
  json: '{"totals":[{"currency","requests","failed","inputTokens","cachedInputTokens","outputTokens","reasoningTokens","revenue","cost","costedRequests","margin"}],"lines":[{"requestId","at","projectId","keyId","model","deploymentId","operation","outcome","status","inputTokens","cachedInputTokens","outputTokens","reasoningTokens","usageSource","estimated","currency","amount","cost","margin","durationMs"}],"next"}',
  async run(call) {
    const query = new URLSearchParams({ organization: call.text('org') });
    for (const name of FILTERS) {
      const value = call.optional(name);
      if (value !== undefined) query.set(name, value);
    }
    const client = await call.client();
    const answer = await client.call(usageSchema, 'GET', `/api/v1/usage?${query}`);
    const words = TITLES[call.lang];
    call.answer(answer, () => {
      if (answer.totals.length === 0 && answer.lines.length === 0) return words.none;
      const totals = table(
        words.totals.map((title, index) => ({ title, right: index > 0 })),
        answer.totals.map(total => {
          // Requests whose cost is not known cost something all the same.
          const [least, most] = total.costedRequests < total.requests ? ['≥', '≤'] : ['', ''];
          return [
            total.currency,
            ...[total.requests, total.inputTokens, total.cachedInputTokens, total.outputTokens].map(String),
            total.revenue,
            `${least}${total.cost}`,
            `${most}${total.margin}`,
          ];
        }),
      );
      const lines = table(
        words.lines.map((title, index) => ({ title, right: index > 3 && index < 9 })),
        answer.lines.map(line => [
          time(line.at),
          line.model,
          line.projectId,
          call.lang === 'zh' ? (OUTCOMES_ZH[line.outcome] ?? line.outcome) : line.outcome,
          ...[line.inputTokens, line.cachedInputTokens, line.outputTokens].map(String),
          line.amount,
          line.cost ?? '-',
          `${line.currency}${line.estimated ? ' ~' : ''}`,
        ]),
      );
      const next = answer.next === null ? '' : `\n\n${words.next} --cursor ${answer.next}`;
      return `${totals}\n\n${lines}${next}`;
    });
    return 0;
  },
};
