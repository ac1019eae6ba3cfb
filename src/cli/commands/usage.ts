import { type UsageGroup, type UsageLine, type UsageView, usageSchema } from '@millrace/contract';
import type { Lang } from '../../control/index.ts';
import { type Command, type CommandCall, ORG } from '../command.ts';
import { csv } from '../csv.ts';
import { usageFault } from '../parse-argv.ts';
import { type Column, table, time } from '../show.ts';

const FILTERS = ['project', 'key', 'model', 'from', 'to', 'limit', 'cursor', 'by'] as const;

const TITLES = {
  en: {
    sums: ['CURRENCY', 'REQUESTS', 'INPUT', 'CACHED', 'OUTPUT', 'REVENUE', 'COST', 'MARGIN'],
    lines: ['TIME', 'REQUEST', 'MODEL', 'ORG/PROJECT', 'OUTCOME', 'INPUT', 'CACHED', 'OUTPUT', 'AMOUNT', 'COST', ''],
    of: 'of',
    none: 'Nothing was used.',
    next: 'Older lines: ',
  },
  zh: {
    sums: ['币种', '请求数', '输入', '缓存', '输出', '收入', '成本', '毛利'],
    lines: ['时间', '请求', '模型', '组织/项目', '结果', '输入', '缓存', '输出', '金额', '成本', ''],
    of: '/',
    none: '没有用量。',
    next: '更早的记录：',
  },
} as const;

/** What is summed by, as a title; in English it is the word itself. */
const BY_ZH: ReadonlyMap<string, string> = new Map([
  ['organization', '组织'],
  ['project', '项目'],
  ['key', '密钥'],
  ['model', '模型'],
  ['deployment', '部署'],
  ['provider', '供应商'],
  ['hour', '小时'],
  ['day', '日期'],
  ['month', '月份'],
]);

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
  about: {
    en: 'what was used, what was paid for it, and what that cost: of one organization or all, line by line or summed',
    zh: '查看用量、收费与成本：单个或全部组织，明细或汇总',
  },
  flags: [
    { ...ORG, required: false, about: { en: 'the organization; all of them unless said', zh: '组织；默认全部' } },
    { name: 'project', value: 'ID', about: { en: 'only this project of it', zh: '仅该组织的此项目' } },
    { name: 'key', value: 'ID', about: { en: 'only this key', zh: '仅此密钥' } },
    { name: 'model', value: 'ID', about: { en: 'only this model', zh: '仅此模型' } },
    {
      name: 'by',
      value: 'WHAT',
      about: {
        en: 'sums of each organization, project, key, model, deployment, provider, hour, day or month (UTC)',
        zh: '按 organization、project、key、model、deployment、provider、hour、day 或 month（UTC）汇总',
      },
    },
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
    {
      name: 'csv',
      about: {
        en: 'for a spreadsheet: every line, or every sum with --by; --limit for fewer',
        zh: '输出 CSV 表格：全部明细，或配合 --by 输出汇总；可用 --limit 限制条数',
      },
    },
  ],
  fields: {
    organization: '--org',
    project: '--project',
    key: '--key',
    model: '--model',
    from: '--from',
    to: '--to',
    limit: '--limit',
    cursor: '--cursor',
    by: '--by',
  },
  terms: { 'needs organization': 'needs --org', '给出 organization': '给出 --org' },
  examples: [
    'usage --org acme',
    'usage --by model --from 2026-01-01 --to 2026-02-01',
    'usage --org acme --from 2026-01-01 --to 2026-02-01 --csv',
  ],
  json: '{"totals":[{"currency","requests","failed","inputTokens","cachedInputTokens","outputTokens","reasoningTokens","revenue","cost","costedRequests","costedRevenue","margin"}],"groups":[{"group", …}],"lines":[{"requestId","at","organizationId","projectId","keyId","model","deploymentId","operation","outcome","status","inputTokens","cachedInputTokens","outputTokens","reasoningTokens","usageSource","estimated","currency","amount","cost","costs":[{"currency","amount"}],"margin","disputed","durationMs"}],"next"}',
  async run(call) {
    if (call.isSet('csv')) {
      if (call.json) throw usageFault('--csv does not go with --json', '--csv 不能与 --json 同时使用');
      return printCsv(call);
    }
    const answer = await read(call, {});
    call.answer(answer, () => text(answer, { lang: call.lang, by: call.optional('by') }));
    return 0;
  },
};

async function read(call: CommandCall, more: Readonly<Record<string, string>>): Promise<UsageView> {
  const query = new URLSearchParams();
  const organization = call.optional('org');
  if (organization !== undefined) query.set('organization', organization);
  for (const name of FILTERS) {
    const value = call.optional(name);
    if (value !== undefined) query.set(name, value);
  }
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  const client = await call.client();
  return client.call(usageSchema, 'GET', `/api/v1/usage?${query}`);
}

const SUM_FIELDS = [
  'currency',
  'requests',
  'failed',
  'inputTokens',
  'cachedInputTokens',
  'outputTokens',
  'reasoningTokens',
  'revenue',
  'cost',
  'costedRequests',
  'costedRevenue',
  'margin',
] as const satisfies readonly (keyof UsageGroup)[];
const LINE_FIELDS = [
  'at',
  'requestId',
  'organizationId',
  'projectId',
  'keyId',
  'model',
  'deploymentId',
  'operation',
  'outcome',
  'status',
  'inputTokens',
  'cachedInputTokens',
  'outputTokens',
  'reasoningTokens',
  'usageSource',
  'estimated',
  'currency',
  'amount',
  'cost',
  'margin',
  'disputed',
  'durationMs',
] as const satisfies readonly (keyof UsageLine)[];

/** Names of the columns are those of `--json`, in every language: what reads it next is a program. Pages are printed as they come. */
async function printCsv(call: CommandCall): Promise<number> {
  const by = call.optional('by');
  if (by !== undefined) {
    const { groups } = await read(call, {});
    call.print(csv([[by, ...SUM_FIELDS], ...groups.map(one => [one.group, ...SUM_FIELDS.map(name => one[name])])]));
    return 0;
  }
  const isAll = call.optional('limit') === undefined;
  call.print(csv([LINE_FIELDS]));
  let more: Readonly<Record<string, string>> = isAll ? { limit: '1000' } : {};
  for (;;) {
    const { lines, next } = await read(call, more);
    call.print(csv(lines.map(line => LINE_FIELDS.map(name => line[name]))));
    if (next === null || !isAll) return 0;
    more = { limit: '1000', cursor: next };
  }
}

function text(answer: UsageView, { lang, by }: { readonly lang: Lang; readonly by: string | undefined }): string {
  const words = TITLES[lang];
  if (answer.totals.length === 0 && answer.lines.length === 0) return words.none;
  const totals = table(
    columns(words.sums, 0),
    answer.totals.map(sum => sumCells(sum, lang)),
  );
  if (by !== undefined) {
    const groups = answer.groups.map(one => [one.group, ...sumCells(one, lang)]);
    return `${totals}\n\n${table(columns([titleOf(by, lang), ...words.sums], 1), groups)}`;
  }
  const lines = table(
    words.lines.map((title, index) => ({ title, right: index > 4 && index < 10 })),
    answer.lines.map(line => lineCells(line, lang)),
  );
  const next = answer.next === null ? '' : `\n\n${words.next}--cursor ${answer.next}`;
  return `${totals}\n\n${lines}${next}`;
}

const titleOf = (by: string, lang: Lang) => (lang === 'zh' ? BY_ZH.get(by) : undefined) ?? by.toUpperCase();

const columns = (titles: readonly string[], lastLeft: number): readonly Column[] =>
  titles.map((title, index) => ({ title, right: index > lastLeft }));

function sumCells(sum: UsageView['totals'][number], lang: Lang): readonly string[] {
  // Requests whose cost is not known cost something all the same; what they leave is not in the margin.
  const part = sum.costedRequests < sum.requests;
  const known = sum.costedRequests > 0 || !part;
  const margin = sum.margin ?? '-';
  return [
    sum.currency,
    ...[sum.requests, sum.inputTokens, sum.cachedInputTokens, sum.outputTokens].map(String),
    sum.revenue,
    known ? `${part ? '≥' : ''}${sum.cost ?? '-'}` : '-',
    !known ? '-' : part ? `${margin} ${TITLES[lang].of} ${sum.costedRevenue ?? '-'}` : margin,
  ];
}

function lineCells(line: UsageLine, lang: Lang): readonly string[] {
  return [
    time(line.at),
    line.requestId,
    line.model,
    `${line.organizationId}/${line.projectId}`,
    lang === 'zh' ? (OUTCOMES_ZH[line.outcome] ?? line.outcome) : line.outcome,
    ...[line.inputTokens, line.cachedInputTokens, line.outputTokens].map(String),
    line.amount,
    line.cost ?? (line.costs.map(({ currency, amount }) => `${amount} ${currency}`).join(' + ') || '-'),
    `${line.currency}${line.estimated ? ' ~' : ''}`,
  ];
}
