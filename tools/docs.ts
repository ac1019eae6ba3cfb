// Writes the reference pages, or the parts of them, that are made from code: `node tools/run.mjs --dev script tools/docs.ts`.
// A test holds them in sync.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  FAULTS,
  isPermission,
  PERMISSIONS,
  ROLE_NAMES,
  ROLES,
  ROUTES,
  type Route,
  roleMay,
} from '../contract/src/index.ts';
import { type Command, GLOBAL_FLAGS } from '../src/cli/command.ts';
import { COMMANDS } from '../src/cli/commands/index.ts';
import { commandLine, flagText, synopsis } from '../src/cli/help.ts';
import { VARIABLES } from '../src/config.ts';
import { METRICS } from '../src/control/metrics/metric-table.ts';

const root = resolve(import.meta.dirname, '..');
type Lang = 'en' | 'zh';

const CLI_WORDS = {
  en: {
    title: 'Command line',
    lead: [
      '`./millrace COMMAND`, thin over the [control API](control-api.md): it talks to the server of `MILLRACE_HOME` through a socket',
      'that only its owner may open, and works on the home itself where no server runs.',
      'Answers go to stdout, everything else to stderr. Amounts are decimal strings, times are UTC.',
    ],
    exit: 'Exit codes: `0` done · `1` tried and failed, or a proof that does not hold · `2` wrong use, or a configuration that is not valid: nothing was changed.',
    every: 'Every command takes',
    flag: 'flag',
    meaning: 'meaning',
    required: ' (required)',
    semicolon: '; ',
    json: 'With `--json`:',
    failure:
      'With `--json` a failure is `{"error":{"code","message"}}` on stdout; codes are those of [faults](faults.md).',
  },
  zh: {
    title: '命令行',
    lead: [
      '`./millrace 命令` 是[控制 API](control-api.md) 的薄封装：它通过只有所有者才能打开的套接字访问 `MILLRACE_HOME` 上的服务；',
      '没有服务运行时，则直接在该目录上操作。结果写到标准输出，其余内容写到标准错误。金额为十进制字符串，时间为 UTC。',
    ],
    exit: '退出码：`0` 完成 · `1` 执行失败，或验证不通过 · `2` 用法有误或配置无效，此时没有任何改动。',
    every: '所有命令都支持',
    flag: '选项',
    meaning: '含义',
    required: '（必填）',
    semicolon: '；',
    json: '使用 `--json` 时输出：',
    failure: '使用 `--json` 时，失败会在标准输出给出 `{"error":{"code","message"}}`，代码见[错误码](faults.md)。',
  },
} as const;

/** A table's cell: a bar would end it. */
const cell = (text: string) => text.replaceAll('|', '\\|');

function flagRows(flags: Command['flags'], lang: Lang): readonly string[] {
  const words = CLI_WORDS[lang];
  return flags.map(flag => {
    const required = flag.required ? words.required : '';
    return `| \`${cell(flagText(flag))}\` | ${cell(flag.about[lang])}${required} |`;
  });
}

function commandSection(command: Command, lang: Lang): readonly string[] {
  const words = CLI_WORDS[lang];
  const operands = (command.operands ?? []).map(({ name, about }) => `| \`${name}\` | ${cell(about[lang])} |`);
  const rows = [...operands, ...flagRows(command.flags, lang)];
  return [
    '',
    `## ${command.name}`,
    '',
    `${command.about[lang]}`,
    '',
    '```text',
    `millrace ${synopsis(command, { whole: true })}`,
    '```',
    ...(rows.length > 0 ? ['', `| ${words.flag} | ${words.meaning} |`, '|---|---|', ...rows] : []),
    '',
    '```sh',
    ...command.examples.map(commandLine),
    '```',
    ...(command.json === '—'
      ? []
      : [
          '',
          `${words.json} \`${command.json}\`${command.jsonMore ? `${words.semicolon}${command.jsonMore[lang]}` : ''}`,
        ]),
  ];
}

function cliPage(lang: Lang): string {
  const words = CLI_WORDS[lang];
  const every = GLOBAL_FLAGS.map(flag => `\`${flagText(flag)}\` (${flag.about[lang]})`).join(
    lang === 'zh' ? '、' : ', ',
  );
  return [
    `# ${words.title}`,
    '',
    ...words.lead,
    '',
    words.exit,
    '',
    `${words.every} ${every}${lang === 'zh' ? '。' : '.'} ${words.failure}`,
    ...COMMANDS.flatMap(command => commandSection(command, lang)),
    '',
  ].join('\n');
}

const FAULT_WORDS = {
  en: {
    title: 'Faults',
    lead: 'Every answer that is no success carries one of these codes. What to do depends on the owner: `caller` change the request, `capacity` wait as `Retry-After` says, `upstream` a provider failed, `config` the operator has to act, `platform` it is our fault.',
    head: '| code | status | owner | retry | meaning |',
  },
  zh: {
    title: '错误码',
    lead: '凡是不成功的回应，都带有以下代码之一。如何处理取决于责任方：`caller` 请修改请求；`capacity` 请按 `Retry-After` 等待；`upstream` 上游服务出错；`config` 需要运维人员处理；`platform` 是我们的问题。',
    head: '| 代码 | 状态码 | 责任方 | 重试 | 含义 |',
  },
} as const;

function faultsPage(lang: Lang): string {
  const words = FAULT_WORDS[lang];
  const rows = Object.entries(FAULTS).map(
    ([code, { status, owner, retry, title }]) => `| \`${code}\` | ${status} | ${owner} | ${retry} | ${title[lang]} |`,
  );
  return `# ${words.title}\n\n${words.lead}\n\n${words.head}\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

const METRIC_WORDS = {
  en: {
    title: 'Metrics',
    lead: [
      '`GET /metrics`, in the text format of Prometheus: open to the machine itself (not through a proxy), and to the owner and admin keys from',
      'anywhere. Counters begin at zero with the process. Settlements are counted when they are in the ledger: up to ten seconds late under full load.',
    ],
    head: '| `millrace_…` | type | labels | meaning |',
    rules: [
      '## What to watch',
      '',
      '| when | then |',
      '|---|---|',
      '| `millrace_journal_broken == 1` | the node must be restarted: it can promise nothing |',
      '| `millrace_storage_full == 1` | make room on the disk: nothing new is admitted until then |',
      '| `millrace_loader_lag_entries` keeps growing | the store is too slow or away; nothing is lost, bills come late |',
      '| `rate(millrace_journal_commit_seconds_sum[5m]) / rate(millrace_journal_commit_seconds_count[5m])` is above 0.05 | the disk syncs slowly, and each request waits for it twice |',
      '| `rate(millrace_gateway_busy_seconds_total[1m])` is above 0.9 on every thread | more gateway threads or another node |',
      '| `rate(millrace_refusals_total{code="capacity"}[5m])` is above 0 | a model has fewer places than are asked for |',
      '| `millrace_deployment_resting == 1` | a provider or an engine fails |',
    ],
  },
  zh: {
    title: '指标',
    lead: [
      '`GET /metrics`，采用 Prometheus 文本格式：本机可直接读取（经代理转发的除外），所有者与管理密钥可从任何地方读取。',
      '计数器随进程从零开始。结算在装入账簿时计入：满负荷时最多晚十秒。',
    ],
    head: '| `millrace_…` | 类型 | 标签 | 含义 |',
    rules: [
      '## 需要关注的情况',
      '',
      '| 情况 | 应对 |',
      '|---|---|',
      '| `millrace_journal_broken == 1` | 必须重启节点：它已无法作出任何承诺 |',
      '| `millrace_storage_full == 1` | 请腾出磁盘空间：在此之前不接收新请求 |',
      '| `millrace_loader_lag_entries` 持续增长 | 存储太慢或已断开；数据不会丢失，只是入账推迟 |',
      '| `rate(millrace_journal_commit_seconds_sum[5m]) / rate(millrace_journal_commit_seconds_count[5m])` 大于 0.05 | 磁盘落盘太慢，而每个请求要等它两次 |',
      '| `rate(millrace_gateway_busy_seconds_total[1m])` 在所有线程上都大于 0.9 | 需要更多网关线程或另一个节点 |',
      '| `rate(millrace_refusals_total{code="capacity"}[5m])` 大于 0 | 某个模型的并发容量低于需求 |',
      '| `millrace_deployment_resting == 1` | 某个供应商或引擎出现故障 |',
    ],
  },
} as const;

function metricsPage(lang: Lang): string {
  const { title, lead, head, rules } = METRIC_WORDS[lang];
  const rows = Object.entries(METRICS).map(
    ([name, { type, labels, about }]) =>
      `| \`${name}\` | ${type} | ${labels.map(label => `\`${label}\``).join(' ')} | ${about[lang]} |`,
  );
  return [`# ${title}`, '', ...lead, '', head, '|---|---|---|---|', ...rows, '', ...rules, ''].join('\n');
}

function variablesTable(lang: Lang): string {
  const head = lang === 'zh' ? '| 变量 | 默认值 | 含义 |' : '| variable | default | meaning |';
  const rows = VARIABLES.map(({ name, otherwise, about }) => `| \`${name}\` | ${otherwise} | ${about[lang]} |`);
  return `${head}\n|---|---|---|\n${rows.join('\n')}`;
}

const ROUTE_WORDS = {
  en: {
    head: '| route | permission | what it does |',
    roles: '| permission | may |',
    tenant: 'whole node',
    idempotent: '`Idempotency-Key`',
  },
  zh: { head: '| 路由 | 权限 | 作用 |', roles: '| 权限 | 允许 |', tenant: '整个节点', idempotent: '`Idempotency-Key`' },
} as const;

function routesTable(lang: Lang): string {
  const words = ROUTE_WORDS[lang];
  const rows = Object.values(ROUTES).flatMap(routes =>
    Object.values<Route>(routes).map(({ method, path, permission = '', tenant, summary, idempotency }) => {
      const where = tenant === 'platform' ? ` (${words.tenant})` : '';
      const once = idempotency === 'key' ? ` · ${words.idempotent}` : '';
      return `| \`${method} ${path.replace('+', '')}\` | \`${permission}\`${where} | ${cell(summary[lang])}${once} |`;
    }),
  );
  return [words.head, '|---|---|---|', ...rows].join('\n');
}

function permissionsTable(lang: Lang): string {
  const titles = ROLE_NAMES.map(role => ROLES[role].title[lang]);
  const rows = Object.entries(PERMISSIONS).map(([name, about]) => {
    const may = ROLE_NAMES.map(role => (isPermission(name) && roleMay(role, name) ? '✓' : ''));
    return `| \`${name}\` | ${about[lang]} | ${may.join(' | ')} |`;
  });
  return [
    `${ROUTE_WORDS[lang].roles} ${titles.join(' | ')} |`,
    `|---|---|${titles.map(() => '---|').join('')}`,
    ...rows,
  ].join('\n');
}

/** A page written by hand, with the part between `<!-- NAME -->` and `<!-- /NAME -->` made anew. */
function withParts(path: string, parts: Readonly<Record<string, string>>): string {
  let page = readFileSync(join(root, path), 'utf8');
  for (const [name, part] of Object.entries(parts)) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [start, end] = [page.indexOf(open), page.indexOf(close)];
    if (start < 0 || end < start) throw new Error(`${path} lacks ${open} … ${close}`);
    page = `${page.slice(0, start + open.length)}\n\n${part}\n\n${page.slice(end)}`;
  }
  return page;
}

/** Path below the repository → text. */
export function referencePages(): ReadonlyMap<string, string> {
  const pages = new Map<string, string>();
  for (const lang of ['en', 'zh'] as const) {
    const folder = `docs/${lang}/reference`;
    pages.set(`${folder}/cli.md`, cliPage(lang));
    pages.set(`${folder}/faults.md`, faultsPage(lang));
    pages.set(`${folder}/metrics.md`, metricsPage(lang));
    const control = `${folder}/control-api.md`;
    pages.set(control, withParts(control, { routes: routesTable(lang), permissions: permissionsTable(lang) }));
    const configuration = `${folder}/configuration.md`;
    pages.set(configuration, withParts(configuration, { variables: variablesTable(lang) }));
  }
  return pages;
}

if (process.argv[1] === import.meta.filename) {
  for (const [path, text] of referencePages()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
