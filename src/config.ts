import { availableParallelism, homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Fault, type LogLevel } from './std/index.ts';

export interface Config {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly threads: number;
  /** Absent: SQLite in the home. */
  readonly databaseUrl: string | undefined;
  readonly logLevel: LogLevel;
  readonly lang: 'en' | 'zh';
  /** For the crash tests: where the process kills itself. */
  readonly crashAt: string | undefined;
  /** A launcher holds our other end: when it is gone, so are we. */
  readonly supervised: boolean;
  /** How long running requests may take to end after SIGTERM. */
  readonly drainMs: number;
}

/** The environment as it is, for what a person's configuration file names in `${…}`. */
export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** The environment as configuration; the only reader of it. Throws Fault `config_invalid` that names the variable. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const databaseUrl = env['DATABASE_URL'] || undefined;
  if (databaseUrl !== undefined && !/^postgres(ql)?:\/\//.test(databaseUrl))
    throw wrong('DATABASE_URL', 'must begin with postgres://', '必须以 postgres:// 开头');
  if (env['VALKEY_URL'])
    throw wrong(
      'VALKEY_URL',
      'is for several nodes on one database, which this version does not run: leave it unset',
      '用于多节点共享数据库，本版本尚不支持：请勿设置',
    );
  const level = LEVELS.find(known => known === (env['MILLRACE_LOG'] || 'warn'));
  if (!level)
    throw wrong('MILLRACE_LOG', `must be one of ${LEVELS.join(', ')}`, `必须是以下之一：${LEVELS.join('、')}`);
  return {
    home: resolve(env['MILLRACE_HOME'] || join(homedir(), '.millrace')),
    host: env['MILLRACE_HOST'] || '127.0.0.1',
    port: integer(env, 'MILLRACE_PORT', { otherwise: 8080, least: 0, most: 65_535 }),
    // One core is left for the control plane, the journal and an engine.
    threads: integer(env, 'MILLRACE_THREADS', {
      otherwise: Math.max(1, Math.min(8, availableParallelism() - 1)),
      least: 1,
      most: 64,
    }),
    databaseUrl,
    logLevel: level,
    lang: langOf(env),
    crashAt: env['CRASH_AT'] || undefined,
    supervised: env['MILLRACE_PARENT'] === '1',
    drainMs: integer(env, 'MILLRACE_DRAIN_MS', { otherwise: 30_000, least: 0, most: 3_600_000 }),
  };
}

function langOf(env: Readonly<Record<string, string | undefined>>): 'en' | 'zh' {
  const text = env['MILLRACE_LANG'] || env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '';
  return /^zh/i.test(text) ? 'zh' : 'en';
}

function integer(
  env: Readonly<Record<string, string | undefined>>,
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

function wrong(name: string, en: string, zh: string): Fault {
  return new Fault('config_invalid', { message: `${name} ${en}`, messageZh: `${name} ${zh}`, param: name });
}
