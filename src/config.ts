import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism, homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Fault, type LogLevel } from './ground/std/index.ts';
import { parseCidr } from './people/callers/index.ts';

export interface Config {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly threads: number;
  /** Absent: SQLite in the home. */
  readonly databaseUrl: string | undefined;
  /** Present: this node works beside others on its database. */
  readonly valkeyUrl: string | undefined;
  /** How long a node may spend what it leased without hearing from the database. */
  readonly leaseMs: number;
  readonly logLevel: LogLevel;
  readonly lang: 'en' | 'zh';
  /** For the crash tests: where the process kills itself. */
  readonly crashAt: string | undefined;
  /** A launcher holds our other end: when it is gone, so are we. */
  readonly supervised: boolean;
  /** How long running requests may take to end after SIGTERM. */
  readonly drainMs: number;
  /** How long a stream may be silent before its client gets a sign of life. */
  readonly silenceMs: number;
  /** Start though the journal of this node is gone: what it held is booked as lost. Said by a flag alone, for one start. */
  readonly acceptJournalLoss: boolean;
  /** Entries in one file of the journal. */
  readonly segmentRows: number;
  /** Memory for request bodies that are still coming. */
  readonly bodyLimits: { readonly nodeBytes: number; readonly keyBytes: number };
  /** Addresses and ranges of proxies whose word is taken for who asks. */
  readonly trustedProxies: readonly string[];
  /** Of pages that may call the model API from a browser. */
  readonly corsOrigins: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment as it is, for what a person's configuration file names in `${…}`. */
export function environment(): Environment {
  return process.env;
}

/** Where the control API is served to the owner of a home: only they may open it. */
export const controlSocket = (home: string) => join(home, 'control.sock');

interface Variable {
  readonly name: string;
  /** What holds where it is not set, as the reference shows it. */
  readonly otherwise: string;
  readonly about: { readonly en: string; readonly zh: string };
}

/** Every variable that is read; the reference pages are made from this list. */
export const VARIABLES: readonly Variable[] = [
  {
    name: 'MILLRACE_HOME',
    otherwise: '`~/.millrace`',
    about: {
      en: 'Folder of everything that is kept: store, journal, secrets, sockets. One server at a time works on it.',
      zh: '保存全部数据的目录：存储、日志、密钥、套接字。同一时间只能有一个服务使用它。',
    },
  },
  {
    name: 'MILLRACE_HOST',
    otherwise: '`127.0.0.1`',
    about: {
      en: 'Address to listen on. `0.0.0.0` or `::` opens the node to the network: put TLS in front of it.',
      zh: '监听地址。设为 `0.0.0.0` 或 `::` 会对网络开放，请在前面加上 TLS。',
    },
  },
  {
    name: 'MILLRACE_PORT',
    otherwise: '`8080`',
    about: { en: 'Port to listen on; `0` takes a free one.', zh: '监听端口；`0` 表示任选一个空闲端口。' },
  },
  {
    name: 'MILLRACE_THREADS',
    otherwise: 'max(1, min(8, CPU − 1))',
    about: {
      en: 'Gateway threads, 1 to 64. More than one needs Linux, where threads can share a port.',
      zh: '网关线程数，1 到 64。多于一个需要 Linux，只有它支持线程共享端口。',
    },
  },
  {
    name: 'MILLRACE_LOG',
    otherwise: '`warn`',
    about: {
      en: 'Log level: `debug`, `info` (one event per request), `warn`, `error` or `silent`. JSON lines on stderr, never with prompts, answers or keys.',
      zh: '日志级别：`debug`、`info`（每个请求一条）、`warn`、`error` 或 `silent`。以 JSON 行写到标准错误，绝不包含提示词、回答或密钥。',
    },
  },
  {
    name: 'MILLRACE_LANG',
    otherwise: '`LC_ALL`, `LC_MESSAGES`, `LANG`',
    about: { en: 'Language of the command line: `en` or `zh`.', zh: '命令行的语言：`en` 或 `zh`。' },
  },
  {
    name: 'MILLRACE_DRAIN_MS',
    otherwise: '`30000`',
    about: {
      en: 'How long running requests may take to end after SIGTERM, in ms; then they are cut off and settled.',
      zh: '收到 SIGTERM 后，进行中的请求最多还可继续多少毫秒；超时则中断并结算。',
    },
  },
  {
    name: 'MILLRACE_BODIES_MIB',
    otherwise: '`256`',
    about: {
      en: 'Memory for request bodies that are still coming, in MiB, 32 to 65,536: beyond it further ones are answered `503`. One body may have 32 MiB.',
      zh: '正在接收的请求体可占用的内存（MiB），32 到 65536；超出后新的请求体以 `503` 应答。单个请求体最多 32 MiB。',
    },
  },
  {
    name: 'MILLRACE_KEY_BODIES_MIB',
    otherwise: '`64`',
    about: {
      en: 'The same for the bodies of one API key: beyond it `429`.',
      zh: '同上，针对单个 API 密钥；超出后以 `429` 应答。',
    },
  },
  {
    name: 'MILLRACE_TRUSTED_PROXIES',
    otherwise: '—',
    about: {
      en: 'Addresses and ranges of your proxies, parted by commas (`127.0.0.1, 10.0.0.0/8`): who asks is then whom they name in `X-Forwarded-For`. It decides whether an address is in the ranges of a key, and whether `/metrics` is asked for from this machine. What another proxy passed on is from an unknown address.',
      zh: '你的代理的地址与网段，用逗号分隔（`127.0.0.1, 10.0.0.0/8`）：来自它们的请求，客户端以其 `X-Forwarded-For` 为准。它决定地址是否在密钥允许的网段内，以及 `/metrics` 是否来自本机。经其他代理转发的请求，地址视为未知。',
    },
  },
  {
    name: 'MILLRACE_CORS_ORIGINS',
    otherwise: '—',
    about: {
      en: 'Origins, parted by commas (`https://app.example.com`), whose pages may call `/v1/*` from a browser; each exactly as the browser says it.',
      zh: '允许其网页从浏览器调用 `/v1/*` 的来源，用逗号分隔（`https://app.example.com`）；须与浏览器发送的完全一致。',
    },
  },
  {
    name: 'MILLRACE_STREAM_SILENCE_MS',
    otherwise: '`10000`',
    about: {
      en: 'After how long a silence a streaming client gets a comment (`: keep-alive`), 100 to 600,000 ms; at most a quarter later. Where the upstream has not answered by then, the answer begins with it, and a later failure is an error event.',
      zh: '流式回答静默多久后向客户端发送一条注释（`: keep-alive`），100 到 600000 毫秒，最多晚四分之一。若此时上游仍未应答，回答即由此开始，之后的失败以错误事件告知。',
    },
  },
  {
    name: 'DATABASE_URL',
    otherwise: 'SQLite',
    about: { en: '`postgres://…`: keeps the store in PostgreSQL.', zh: '`postgres://…`：使用 PostgreSQL 作为存储。' },
  },
  {
    name: 'VALKEY_URL',
    otherwise: '—',
    about: {
      en: '`redis://…`, `rediss://…`, `valkey://…` or `valkeys://…`: this node works beside others on one PostgreSQL database, and shares limits and news with them through Valkey or Redis. See [Several nodes](../nodes.md).',
      zh: '`redis://…`、`rediss://…`、`valkey://…` 或 `valkeys://…`：本节点与其他节点共用一个 PostgreSQL 数据库，并通过 Valkey 或 Redis 共享限额与通知。参见[多节点](../nodes.md)。',
    },
  },
  {
    name: 'MILLRACE_LEASE_MS',
    otherwise: '`60000`',
    about: {
      en: 'Among several nodes: how long a node may spend what it leased of wallets without hearing from the database, 1,000 to 600,000 ms. So long a node that died keeps its leases from the others. The same on all nodes.',
      zh: '多节点时：节点与数据库失联后，最多还能使用其租得余额多久，1000 到 600000 毫秒。故障节点的租约也要过这么久才会释放给其他节点。各节点应一致。',
    },
  },
  {
    name: 'MILLRACE_SEGMENT_ROWS',
    otherwise: '`250000`',
    about: {
      en: 'Entries in one file of the journal. For the crash tests, which set it low, so that files are changed and archived often.',
      zh: '单个日志文件的条目数。供崩溃测试使用：设小后会频繁切换并归档日志文件。',
    },
  },
  {
    name: 'CRASH_AT',
    otherwise: '—',
    about: {
      en: 'For the crash tests: the point in the code at which the process kills itself, or with `throw:` before it where it throws, once.',
      zh: '用于崩溃测试：进程在代码的哪个位置终止自己；前面加 `throw:` 则在该处抛出一次异常。',
    },
  },
  {
    name: 'MILLRACE_PARENT',
    otherwise: '—',
    about: {
      en: 'Set by the launcher (`npm start`): the server ends when the launcher is gone, however it went.',
      zh: '由启动器（`npm start`）设置：无论启动器以何种方式退出，服务都会随之停止。',
    },
  },
];

const MIB = 1_048_576;
/** No less than the largest body. */
const BODIES_MIB = { least: 32, most: 65_536 };
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** The environment as configuration; the only reader of it. Throws Fault `config_invalid` that names the variable. */
export function readConfig(env: Environment): Config {
  const databaseUrl = env['DATABASE_URL'] || undefined;
  if (databaseUrl !== undefined && !/^postgres(ql)?:\/\//.test(databaseUrl))
    throw wrong('DATABASE_URL', 'must begin with postgres://', '必须以 postgres:// 开头');
  const valkeyUrl = valkeyOf(env, databaseUrl);
  const level = LEVELS.find(known => known === (env['MILLRACE_LOG'] || 'warn'));
  if (!level)
    throw wrong('MILLRACE_LOG', `must be one of ${LEVELS.join(', ')}`, `必须是以下之一：${LEVELS.join('、')}`);
  return {
    home: homeOf(env),
    host: hostOf(env),
    port: integer(env, 'MILLRACE_PORT', { otherwise: 8080, least: 0, most: 65_535 }),
    // One core is left for the control plane, the journal and an engine.
    threads: integer(env, 'MILLRACE_THREADS', {
      otherwise: Math.max(1, Math.min(8, availableParallelism() - 1)),
      least: 1,
      most: 64,
    }),
    databaseUrl,
    valkeyUrl,
    leaseMs: integer(env, 'MILLRACE_LEASE_MS', { otherwise: 60_000, least: 1_000, most: 600_000 }),
    logLevel: level,
    lang: langOf(env),
    crashAt: env['CRASH_AT'] || undefined,
    supervised: env['MILLRACE_PARENT'] === '1',
    silenceMs: integer(env, 'MILLRACE_STREAM_SILENCE_MS', { otherwise: 10_000, least: 100, most: 600_000 }),
    drainMs: integer(env, 'MILLRACE_DRAIN_MS', { otherwise: 30_000, least: 0, most: 3_600_000 }),
    trustedProxies: listOf(
      env['MILLRACE_TRUSTED_PROXIES'],
      text => parseCidr(text) !== undefined,
      text => wrong('MILLRACE_TRUSTED_PROXIES', `"${text}" is no address and no range`, `“${text}”不是地址也不是网段`),
    ),
    corsOrigins: listOf(
      env['MILLRACE_CORS_ORIGINS'],
      text => URL.parse(text)?.origin === text,
      text =>
        wrong(
          'MILLRACE_CORS_ORIGINS',
          `"${text}" is no origin such as https://app.example.com`,
          `“${text}”不是形如 https://app.example.com 的来源`,
        ),
    ),
    acceptJournalLoss: false,
    bodyLimits: {
      nodeBytes: MIB * integer(env, 'MILLRACE_BODIES_MIB', { otherwise: 256, ...BODIES_MIB }),
      keyBytes: MIB * integer(env, 'MILLRACE_KEY_BODIES_MIB', { otherwise: 64, ...BODIES_MIB }),
    },
    // As many as the journal takes by itself.
    segmentRows: integer(env, 'MILLRACE_SEGMENT_ROWS', { otherwise: 250_000, least: 10, most: 10_000_000 }),
  };
}

function valkeyOf(env: Environment, databaseUrl: string | undefined): string | undefined {
  const url = env['VALKEY_URL'] || undefined;
  if (url === undefined) return undefined;
  if (!/^(redis|valkey)s?:\/\/./.test(url) || !URL.canParse(url))
    throw wrong(
      'VALKEY_URL',
      'must be an address such as redis://user:password@host:6379/0',
      '必须是形如 redis://user:password@host:6379/0 的地址',
    );
  if (databaseUrl === undefined)
    throw wrong(
      'VALKEY_URL',
      'is for several nodes on one database: set DATABASE_URL to a PostgreSQL database too',
      '用于多个节点共用一个数据库：请同时将 DATABASE_URL 设为 PostgreSQL 数据库',
    );
  return url;
}

function homeOf(env: Environment): string {
  const home = resolve(env['MILLRACE_HOME'] || join(userHome(), '.millrace'));
  if (isFile(home))
    throw wrong('MILLRACE_HOME', `is ${home}, which is a file, not a folder`, `为 ${home}，它是文件而不是目录`);
  return home;
}

/** A user without an entry in the system's list, as containers have them, has none. */
function userHome(): string {
  try {
    return homedir();
  } catch {
    throw wrong('MILLRACE_HOME', 'is not set, and this user has no home folder', '未设置，且当前用户没有主目录');
  }
}

/** What may not be looked at may not be used either: that is told when it is opened. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
  } catch {
    return false;
  }
}

function hostOf(env: Environment): string {
  const host = env['MILLRACE_HOST'] || '127.0.0.1';
  if (isIP(host) === 0 && !/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})$/.test(host))
    throw wrong('MILLRACE_HOST', `"${host}" is not an address or a host name`, `“${host}”不是地址或主机名`);
  return host;
}

/** Language of the command line: ours, else that of the system's messages. */
export function langOf(env: Environment): 'en' | 'zh' {
  const text = env['MILLRACE_LANG'] || env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '';
  return /^zh/i.test(text) ? 'zh' : 'en';
}

function integer(
  env: Environment,
  name: string,
  range: { readonly otherwise: number; readonly least: number; readonly most: number },
): number {
  const text = env[name];
  if (text === undefined || text === '') return range.otherwise;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= range.least && value <= range.most))
    throw wrong(
      name,
      `"${text}" is not a whole number from ${range.least} to ${range.most}`,
      `“${text}”不是 ${range.least} 到 ${range.most} 之间的整数`,
    );
  return value;
}

/** What stands between commas; throws what `refusal` makes of the first that is none. */
function listOf(
  text: string | undefined,
  isGood: (text: string) => boolean,
  refusal: (text: string) => Fault,
): readonly string[] {
  const parts = (text ?? '').split(',').map(part => part.trim());
  const all = parts.filter(part => part !== '');
  const bad = all.find(part => !isGood(part));
  if (bad !== undefined) throw refusal(bad);
  return all;
}

function wrong(name: string, en: string, zh: string): Fault {
  return new Fault('config_invalid', { message: `${name} ${en}`, messageZh: `${name} ${zh}`, param: name });
}
