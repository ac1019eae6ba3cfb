import {
  type KeyView,
  keyCreatedSchema,
  keyListSchema,
  keyViewSchema,
  ROLE_NAMES,
  revokedSchema,
} from '@millrace/contract';
import type { Lang } from '../../control/index.ts';
import { systemClock } from '../../ground/std/index.ts';
import { type Command, type CommandCall, type Flag, ORG } from '../command.ts';
import { usageFault } from '../parse-argv.ts';
import { facts, listText, time } from '../show.ts';

/** The owner is whoever has the home; no key is. */
const ADMIN_ROLES = ROLE_NAMES.filter(role => role !== 'owner');

/** What a key may do, and until when. */
const LIMITS: readonly Flag[] = [
  { name: 'name', value: 'NAME', about: { en: 'what people call it', zh: '名称' } },
  { name: 'models', value: 'A,B*', about: { en: 'only these models', zh: '只能调用这些模型' } },
  { name: 'rpm', value: 'N', about: { en: 'requests per minute', zh: '每分钟请求数' } },
  { name: 'tpm', value: 'N', about: { en: 'tokens per minute', zh: '每分钟词元数' } },
  { name: 'concurrency', value: 'N', about: { en: 'requests at once', zh: '并发请求数' } },
  {
    name: 'budget',
    value: '10CNY/month',
    about: { en: 'most that it may spend: in total, per day or per month', zh: '最多可花费的金额：总计、每天或每月' },
  },
  {
    name: 'expires',
    value: 'DATE|1h',
    about: {
      en: 'the day or time from which it is refused, or how long it is good for: 30m, 1h, 90d',
      zh: '失效日期或时间，或有效时长：30m、1h、90d',
    },
  },
  { name: 'ip', value: 'RANGE,…', about: { en: 'only from these addresses', zh: '只能从这些地址使用' } },
];

const LIMIT_FIELDS = {
  name: '--name',
  expiresAt: '--expires',
  'scopes.models': '--models',
  'scopes.ipRanges': '--ip',
  ipRanges: '--ip',
  'scopes.requestsPerMinute': '--rpm',
  'scopes.tokensPerMinute': '--tpm',
  'scopes.concurrency': '--concurrency',
  'scopes.budget.amount': '--budget',
  'scopes.budget.currency': '--budget',
};

const create: Command = {
  name: 'key create',
  about: {
    en: 'make an API key; its text is shown this once',
    zh: '创建 API 密钥，密钥内容只显示这一次',
  },
  flags: [
    { ...ORG, required: false, usual: true },
    { name: 'project', value: 'ID', usual: true, about: { en: 'the project', zh: '项目' } },
    ...LIMITS,
    {
      name: 'admin',
      about: {
        en: 'a key for the control API over the network, in place of one for models',
        zh: '创建可通过网络访问控制 API 的管理密钥，而非模型密钥',
      },
    },
    {
      name: 'role',
      value: 'ROLE',
      about: {
        en: `with --admin: ${ADMIN_ROLES.join(', ')}; with --org, for that organization alone`,
        zh: `与 --admin 同用：${ADMIN_ROLES.join('、')}；同时给出 --org 则仅限该组织`,
      },
    },
    { name: 'quiet', about: { en: 'print the key alone, for a shell', zh: '只输出密钥，供脚本使用' } },
  ],
  examples: [
    'key create --org acme --project web',
    'key create --org acme --project web --models "deepseek-*" --rpm 60 --budget 10CNY/month --expires 2027-01-01',
    'key create --admin --name ops',
    'key create --admin --role finance --org acme --name books',
  ],
  fields: {
    organizationId: '--org',
    projectId: '--project',
    organization: '--org',
    role: '--role',
    ...LIMIT_FIELDS,
  },
  json: '{"id","key"}',
  async run(call) {
    if (call.isSet('admin')) checkAdmin(call);
    else if (call.isSet('role')) throw usageFault('--role goes with --admin', '--role 须与 --admin 同用');
    const client = await call.client();
    const made = call.isSet('admin')
      ? await client.call(keyCreatedSchema, 'POST', '/api/v1/admin-keys', {
          name: call.optional('name') ?? 'admin',
          role: call.optional('role'),
          organization: call.optional('org'),
        })
      : await client.call(keyCreatedSchema, 'POST', '/api/v1/keys', keyOf(call));
    const title = call.lang === 'zh' ? '密钥（仅显示这一次）：' : 'Key (shown this once):';
    const revoke = call.lang === 'zh' ? '吊销：' : 'To revoke it:';
    call.answer(made, () =>
      call.isSet('quiet') ? made.key : `${title}\n  ${made.key}\n${revoke} ./millrace key revoke ${made.id}`,
    );
    return 0;
  },
};

/** An admin key belongs to no project and has no limits: a flag that would do nothing must not look as if it did. */
function checkAdmin(call: CommandCall): void {
  const goes = ['admin', 'name', 'role', 'org', 'quiet'];
  const idle = create.flags.find(({ name }) => !goes.includes(name) && call.isSet(name));
  if (idle) throw usageFault(`--${idle.name} does not go with --admin`, `--${idle.name} 不能与 --admin 同时使用`);
}

function keyOf(call: CommandCall): object {
  for (const name of ['org', 'project'])
    if (call.optional(name) === undefined)
      throw usageFault(
        `key create: --${name} ID is missing (millrace key create --help)`,
        `key create：缺少 --${name} ID（millrace key create --help）`,
      );
  return {
    organizationId: call.text('org'),
    projectId: call.text('project'),
    name: call.optional('name'),
    scopes: scopesOf(call),
    expiresAt: expiry(call),
  };
}

function scopesOf(call: CommandCall): Readonly<Record<string, unknown>> {
  const list = (name: string) =>
    call
      .optional(name)
      ?.split(',')
      .map(part => part.trim());
  return {
    models: list('models'),
    ipRanges: list('ip'),
    requestsPerMinute: whole(call, 'rpm'),
    tokensPerMinute: whole(call, 'tpm'),
    concurrency: whole(call, 'concurrency'),
    budget: budget(call),
  };
}

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A date as it is; `1h` from now on. */
function expiry(call: CommandCall): string | undefined {
  const value = call.optional('expires');
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(value ?? '') ?? [];
  if (unit !== 'm' && unit !== 'h' && unit !== 'd') return value;
  const ms = systemClock.nowMs() + Number(count) * UNITS_MS[unit];
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function whole(call: CommandCall, name: string): number | undefined {
  const value = call.optional(name);
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,9}$/.test(value))
    throw usageFault(`--${name}: "${value}" is not a whole number above zero`, `--${name}：“${value}”不是大于零的整数`);
  return Number(value);
}

function budget(call: CommandCall): object | undefined {
  const value = call.optional('budget');
  if (value === undefined) return undefined;
  const [, amount, currency, period = 'total'] =
    /^(\d+(?:\.\d+)?) ?([A-Z]{3})(?:\/(total|day|month))?$/.exec(value) ?? [];
  if (amount === undefined)
    throw usageFault(
      `--budget: "${value}" is not of the form 10CNY, 10CNY/day or 10CNY/month`,
      `--budget：“${value}”的格式应为 10CNY、10CNY/day 或 10CNY/month`,
    );
  return { amount, currency, period };
}

const list: Command = {
  name: 'key list',
  about: { en: 'keys, with their limits', zh: '列出密钥及其限制' },
  flags: [{ ...ORG, required: false }],
  fields: { organization: '--org' },
  examples: ['key list --org acme'],
  json: '{"keys":[{"id","kind","organizationId","projectId","name","hint","scopes","role","createdAt","expiresAt","revokedAt","suspended"}]}',
  async run(call) {
    const organization = call.optional('org');
    const query = organization === undefined ? '' : `?${new URLSearchParams({ organization })}`;
    const client = await call.client();
    const answer = await client.call(keyListSchema, 'GET', `/api/v1/keys${query}`);
    call.answer(answer, () => keyTable(answer.keys, call.lang));
    return 0;
  },
};

function keyTable(keys: readonly KeyView[], lang: Lang): string {
  const titles =
    lang === 'zh'
      ? ['ID', '密钥', '组织/项目', '名称', '限制', '创建于', '状态']
      : ['ID', 'KEY', 'ORG/PROJECT', 'NAME', 'LIMITS', 'CREATED', 'STATE'];
  return listText(
    lang,
    titles.map(title => ({ title })),
    keys.map(key => keyRow(key, lang === 'zh')),
  );
}

function keyRow(key: KeyView, zh: boolean): string[] {
  const { scopes } = key;
  const limits = [
    key.role && `${zh ? '角色' : 'role'} ${key.role}`,
    scopes.models?.join(','),
    scopes.requestsPerMinute && `${scopes.requestsPerMinute} rpm`,
    scopes.tokensPerMinute && `${scopes.tokensPerMinute} tpm`,
    scopes.concurrency && `×${scopes.concurrency}`,
    scopes.budget && `${scopes.budget.amount} ${scopes.budget.currency}/${scopes.budget.period}`,
    scopes.ipRanges?.join(','),
  ].filter(limit => limit !== undefined && limit !== null);
  const place =
    key.kind === 'admin' ? (key.organizationId ?? (zh ? '全部' : 'all')) : `${key.organizationId}/${key.projectId}`;
  return [key.id, key.hint, place, key.name || '-', limits.join(' ') || '-', time(key.createdAt), stateText(key, zh)];
}

/** What keeps a key from being used, the most lasting first. */
function stateText({ revokedAt, expiresAt, suspended }: KeyView, zh: boolean): string {
  if (revokedAt !== null) return zh ? '已吊销' : 'revoked';
  if (expiresAt !== null && Date.parse(expiresAt) <= systemClock.nowMs()) return zh ? '已过期' : 'expired';
  if (suspended) return zh ? '组织已停用' : 'organization suspended';
  if (expiresAt !== null) return `${zh ? '有效至' : 'until'} ${time(expiresAt)}`;
  return zh ? '有效' : 'active';
}

/** Flags of limits by the fields that they set; `expires` is none of the scopes. */
const CLEARED: Readonly<Record<string, string>> = {
  models: 'models',
  ip: 'ipRanges',
  rpm: 'requestsPerMinute',
  tpm: 'tokensPerMinute',
  concurrency: 'concurrency',
  budget: 'budget',
};

const update: Command = {
  name: 'key update',
  about: {
    en: 'change name, limits or end of a key; what is not named stays',
    zh: '修改密钥的名称、限制或有效期；未提及的保持不变',
  },
  operands: [{ name: 'ID', about: { en: 'as `key list` shows it', zh: '见 `key list`' } }],
  flags: [
    ...LIMITS,
    {
      name: 'clear',
      value: 'A,B',
      about: {
        en: 'take away some of models, rpm, tpm, concurrency, budget, expires, ip',
        zh: '取消 models、rpm、tpm、concurrency、budget、expires、ip 中的若干项',
      },
    },
  ],
  fields: LIMIT_FIELDS,
  examples: [
    'key update key_0199… --rpm 120 --budget 50CNY/month',
    'key update key_0199… --clear budget,expires --name "web, production"',
  ],
  json: '{"id","kind","organizationId","projectId","name","hint","scopes","role","createdAt","expiresAt","revokedAt","suspended"}',
  async run(call) {
    const cleared = (call.optional('clear')?.split(',') ?? []).map(name => name.trim());
    for (const name of cleared) checkCleared(call, name);
    const nothing = Object.fromEntries(
      cleared.flatMap(name => (CLEARED[name] === undefined ? [] : [[CLEARED[name], null]])),
    );
    const body = {
      name: call.optional('name'),
      expiresAt: cleared.includes('expires') ? null : expiry(call),
      scopes: { ...scopesOf(call), ...nothing },
    };
    if (!update.flags.some(({ name }) => call.isSet(name)))
      throw usageFault(
        'key update: nothing is to be changed (millrace key update --help)',
        'key update：没有要修改的内容（millrace key update --help）',
      );
    const client = await call.client();
    const target = `/api/v1/keys/${encodeURIComponent(call.operands[0] ?? '')}`;
    const key = await client.call(keyViewSchema, 'PATCH', target, body);
    call.answer(key, () => keyTable([key], call.lang));
    return 0;
  },
};

function checkCleared(call: CommandCall, name: string): void {
  if (name !== 'expires' && !Object.hasOwn(CLEARED, name))
    throw usageFault(
      `--clear: "${name}" is none of ${[...Object.keys(CLEARED), 'expires'].join(', ')}`,
      `--clear：“${name}”不是 ${[...Object.keys(CLEARED), 'expires'].join('、')} 之一`,
    );
  if (call.isSet(name))
    throw usageFault(`--${name} does not go with --clear ${name}`, `--${name} 不能与 --clear ${name} 同时使用`);
}

const revoke: Command = {
  name: 'key revoke',
  about: { en: 'refuse a key from now on, everywhere', zh: '立即在各处吊销密钥' },
  operands: [{ name: 'ID', about: { en: 'as `key list` shows it', zh: '见 `key list`' } }],
  flags: [],
  examples: ['key revoke key_0199…'],
  json: '{"id","revoked":true}',
  async run(call) {
    const [id = ''] = call.operands;
    const client = await call.client();
    const answer = await client.call(revokedSchema, 'DELETE', `/api/v1/keys/${encodeURIComponent(id)}`);
    call.answer(answer, () => facts([[call.lang === 'zh' ? '已吊销' : 'revoked', answer.id]]));
    return 0;
  },
};

export const KEY_COMMANDS: readonly Command[] = [create, list, update, revoke];
