import { cpSync, existsSync, readdirSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Config } from '../config.ts';
import { Fault, lockHome } from '../std/index.ts';
import { type ControlClient, openControlClient } from './client.ts';
import { readConfigFile } from './document.ts';

export type Flags = Readonly<Record<string, string | boolean | undefined>>;
export type Answer = Readonly<Record<string, unknown>>;

interface Command {
  /** Flags with a value; those that end in `!` have none; a leading `*` marks the required. */
  readonly flags: readonly string[];
  /** Names of the words that must follow. */
  readonly words?: readonly string[];
  readonly run: (
    client: ControlClient,
    input: {
      readonly flags: Flags;
      readonly words: readonly string[];
      readonly config: Config;
      readonly env: Readonly<Record<string, string | undefined>>;
    },
  ) => Promise<Answer>;
  /** Exit code of an answer; 0 unless said. */
  readonly code?: (answer: Answer) => number;
}

const text = (flags: Flags, name: string): string => {
  const value = flags[name];
  return typeof value === 'string' ? value : '';
};
const optional = (flags: Flags, name: string): string | undefined =>
  typeof flags[name] === 'string' ? flags[name] : undefined;
const organization = (flags: Flags) => `/api/v1/organizations/${encodeURIComponent(text(flags, 'org'))}`;

export const COMMANDS: Readonly<Record<string, Command>> = {
  apply: {
    flags: ['*file', 'dry-run!'],
    async run(client, { flags, config, env }) {
      const file = text(flags, 'file');
      const document = readConfigFile(file, { env, lang: config.lang });
      return client.call('POST', '/api/v1/config/apply', {
        config: absoluteFiles(document, dirname(resolve(file))),
        dryRun: flags['dry-run'] === true,
      });
    },
  },
  'key create': {
    flags: ['org', 'project', 'name', 'models', 'rpm', 'tpm', 'concurrency', 'budget', 'expires', 'ip', 'admin!'],
    async run(client, { flags }) {
      if (flags['admin'] === true)
        return client.call('POST', '/api/v1/admin-keys', { name: optional(flags, 'name') ?? '' });
      for (const name of ['org', 'project']) if (optional(flags, name) === undefined) throw missing(`--${name}`);
      const list = (name: string) =>
        optional(flags, name)
          ?.split(',')
          .map(part => part.trim());
      const { id, key } = await client.call('POST', '/api/v1/keys', {
        organizationId: text(flags, 'org'),
        projectId: text(flags, 'project'),
        name: optional(flags, 'name'),
        scopes: {
          models: list('models'),
          ipRanges: list('ip'),
          requestsPerMinute: whole(flags, 'rpm'),
          tokensPerMinute: whole(flags, 'tpm'),
          concurrency: whole(flags, 'concurrency'),
          budget: budgetOf(optional(flags, 'budget')),
        },
        expiresAt: optional(flags, 'expires'),
      });
      return { id, key };
    },
  },
  'key list': {
    flags: ['org'],
    run: (client, { flags }) =>
      client.call(
        'GET',
        `/api/v1/keys${optional(flags, 'org') === undefined ? '' : `?organization=${encodeURIComponent(text(flags, 'org'))}`}`,
      ),
  },
  'key revoke': {
    flags: [],
    words: ['ID'],
    run: (client, { words: [id = ''] }) => client.call('DELETE', `/api/v1/keys/${encodeURIComponent(id)}`),
  },
  'org create': {
    flags: ['name'],
    words: ['ID'],
    run: (client, { flags, words: [id] }) =>
      client.call('POST', '/api/v1/organizations', { id, name: optional(flags, 'name') }),
  },
  'org list': { flags: [], run: client => client.call('GET', '/api/v1/organizations') },
  'project create': {
    flags: ['*org', 'name'],
    words: ['ID'],
    run: (client, { flags, words: [id] }) =>
      client.call('POST', `${organization(flags)}/projects`, { id, name: optional(flags, 'name') }),
  },
  'project list': {
    flags: ['*org'],
    run: (client, { flags }) => client.call('GET', `${organization(flags)}/projects`),
  },
  'wallet show': {
    flags: ['*org', 'currency'],
    async run(client, { flags }) {
      const { wallets } = await client.call('GET', `${organization(flags)}/wallets`);
      const list = Array.isArray(wallets) ? (wallets as Answer[]) : [];
      const wallet = list.find(({ currency }) => currency === (optional(flags, 'currency') ?? currency));
      if (!wallet)
        throw new Fault('not_found', {
          message: `${text(flags, 'org')} has no such wallet`,
          messageZh: `${text(flags, 'org')} 没有该钱包`,
        });
      return wallet;
    },
  },
  'wallet credit': {
    flags: ['*org', '*amount', 'currency', 'key', 'note'],
    run: (client, { flags }) =>
      client.call('POST', `${organization(flags)}/wallets/credit`, {
        currency: optional(flags, 'currency') ?? 'CNY',
        amount: text(flags, 'amount'),
        idempotencyKey: optional(flags, 'key'),
        note: optional(flags, 'note'),
      }),
  },
  'model list': { flags: [], run: client => client.call('GET', '/api/v1/models') },
  'model add': {
    flags: ['id', 'currency', 'input-price', 'output-price', 'cached-input-price'],
    words: ['FILE.gguf'],
    async run(client, { flags, words: [word = ''] }) {
      const file = resolve(word);
      const { name, contextTokens } = await client.call('POST', '/api/v1/models/inspect', { file });
      const id =
        optional(flags, 'id') ?? modelIdOf(typeof name === 'string' && name !== '' ? name : basename(file, '.gguf'));
      const priced = optional(flags, 'input-price') !== undefined || optional(flags, 'output-price') !== undefined;
      const cached = optional(flags, 'cached-input-price');
      const price = (currency: string) => ({
        currency,
        inputPerM: optional(flags, 'input-price') ?? '0',
        ...(cached === undefined ? {} : { cachedInputPerM: cached }),
        outputPerM: optional(flags, 'output-price') ?? '0',
      });
      // Without a price it is free in both currencies, and says so: a model without any would be refused to everyone.
      const prices = priced ? [price(optional(flags, 'currency') ?? 'CNY')] : [price('CNY'), price('USD')];
      const tokens = typeof contextTokens === 'number' ? contextTokens : 512;
      await client.call('POST', '/api/v1/config/apply', {
        config: {
          models: [
            {
              id,
              operations: ['chat', 'completions', 'embeddings'],
              contextTokens: tokens,
              maxOutputTokens: Math.max(1, Math.min(4_096, Math.floor(tokens * 0.75))),
              prices,
              deployments: [{ id: id.toLowerCase().replace(/[^a-z0-9._-]+/g, '-'), engine: { file } }],
            },
          ],
        },
      });
      return { id, file, contextTokens: tokens, prices };
    },
  },
  usage: {
    flags: ['*org', 'project', 'model', 'from', 'to', 'limit', 'cursor'],
    run(client, { flags }) {
      const query = new URLSearchParams({ organization: text(flags, 'org') });
      for (const name of ['project', 'model', 'from', 'to', 'limit', 'cursor'])
        if (optional(flags, name) !== undefined) query.set(name, text(flags, name));
      return client.call('GET', `/api/v1/usage?${query}`);
    },
  },
  'ledger verify': {
    flags: [],
    run: client => client.call('POST', '/api/v1/ledger/verify'),
    code: ({ ok }) => (ok === true ? 0 : 1),
  },
  'journal inspect': { flags: [], run: client => client.call('GET', '/api/v1/journal') },
  backup: {
    flags: [],
    words: ['FOLDER'],
    run: (client, { words: [folder = ''] }) => client.call('POST', '/api/v1/backup', { folder: resolve(folder) }),
  },
};

/** Runs a command given as words and flags. Throws Fault `config_invalid` for a wrong use. */
export async function runCommand(
  argv: readonly string[],
  { config, env }: { readonly config: Config; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<{ readonly answer: Answer; readonly code: number }> {
  const two = argv.slice(0, 2).join(' ');
  const name = two in COMMANDS ? two : (argv[0] ?? '');
  const command = COMMANDS[name];
  if (!command) throw unknownCommand(argv);
  const options = Object.fromEntries(
    command.flags.map(flag => [
      flag.replace(/[*!]/g, ''),
      flag.endsWith('!')
        ? { type: 'boolean' as const }
        : { type: 'string' as const, ...(flag === '*file' ? { short: 'f' } : {}) },
    ]),
  );
  let parsed: { values: Flags; positionals: string[] };
  try {
    // A negative amount looks like a flag to the parser: joined to its name it is taken as it is.
    const args = argv
      .slice(name.split(' ').length)
      .flatMap((word, index, all) =>
        /^--[a-z-]+$/.test(word) && /^-\d/.test(all[index + 1] ?? '')
          ? [`${word}=${all[index + 1]}`]
          : /^-\d/.test(word) && /^--[a-z-]+$/.test(all[index - 1] ?? '')
            ? []
            : [word],
      );
    parsed = parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (cause) {
    const flag = /'(--?[^' ]+)/.exec(cause instanceof Error ? cause.message : '')?.[1] ?? '';
    throw new Fault('config_invalid', {
      message: `${name}: ${flag} is not known or lacks its value (millrace help)`,
      messageZh: `${name}：未知的选项或缺少值 ${flag}（参见 millrace help）`,
      cause,
    });
  }
  for (const flag of command.flags)
    if (flag.startsWith('*') && optional(parsed.values, flag.slice(1)) === undefined)
      throw missing(flag === '*file' ? '-f FILE' : `--${flag.slice(1)}`);
  for (const [index, word] of (command.words ?? []).entries())
    if (parsed.positionals[index] === undefined) throw missing(word);
  const extra = parsed.positionals[command.words?.length ?? 0];
  if (extra !== undefined)
    throw new Fault('config_invalid', {
      message: `${name}: "${extra}" is one word too many`,
      messageZh: `${name}：多余的参数“${extra}”`,
    });
  await using client = await openControlClient(config);
  const answer = await command.run(client, { flags: parsed.values, words: parsed.positionals, config, env });
  return { answer, code: command.code?.(answer) ?? 0 };
}

/** Puts a backup into an empty home. */
export function restore(folder: string, config: Config): Answer {
  const from = resolve(folder);
  if (!existsSync(join(from, 'secrets.json')))
    throw new Fault('config_invalid', {
      message: `${from} is no backup: it has no secrets.json`,
      messageZh: `${from} 不是备份：缺少 secrets.json`,
    });
  if (existsSync(config.home) && readdirSync(config.home).some(name => name !== 'lock.db'))
    throw new Fault('conflict', {
      message: `${config.home} is not empty: restore into a new MILLRACE_HOME`,
      messageZh: `${config.home} 不为空：请恢复到新的 MILLRACE_HOME`,
    });
  using _lock = lockHome(config.home);
  cpSync(from, config.home, { recursive: true });
  return { home: config.home };
}

function absoluteFiles(document: unknown, folder: string): unknown {
  if (Array.isArray(document)) return document.map(item => absoluteFiles(item, folder));
  if (typeof document !== 'object' || document === null) return document;
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => {
      if (
        key === 'engine' &&
        typeof value === 'object' &&
        value !== null &&
        'file' in value &&
        typeof value.file === 'string' &&
        !isAbsolute(value.file)
      )
        return [key, { ...value, file: join(folder, value.file) }];
      return [key, absoluteFiles(value, folder)];
    }),
  );
}

function modelIdOf(name: string): string {
  return (
    name
      .trim()
      .replace(/[^A-Za-z0-9._:/@-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
      .slice(0, 128) || 'model'
  );
}

function whole(flags: Flags, name: string): number | undefined {
  const value = optional(flags, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value))
    throw new Fault('config_invalid', {
      message: `--${name}: "${value}" is not a whole number`,
      messageZh: `--${name}：“${value}”不是整数`,
    });
  return Number(value);
}

function budgetOf(value: string | undefined): object | undefined {
  if (value === undefined) return undefined;
  const [, amount, currency, period = 'total'] =
    /^(\d+(?:\.\d+)?)\s*([A-Z]{3})(?:\/(total|day|month))?$/.exec(value) ?? [];
  if (amount === undefined)
    throw new Fault('config_invalid', {
      message: `--budget: "${value}" is not of the form 10CNY/month`,
      messageZh: `--budget：“${value}”的格式应为 10CNY/month`,
    });
  return { amount, currency, period };
}

function missing(what: string): Fault {
  return new Fault('config_invalid', {
    message: `${what} is missing (millrace help)`,
    messageZh: `缺少 ${what}（参见 millrace help）`,
  });
}

function unknownCommand(argv: readonly string[]): Fault {
  const typed = argv.slice(0, 2).join(' ');
  const [nearest] = Object.keys(COMMANDS).toSorted((a, b) => distance(typed, a) - distance(typed, b));
  return new Fault('config_invalid', {
    message: `There is no command "${typed}". Did you mean "${nearest}"? (millrace help)`,
    messageZh: `没有命令“${typed}”。您是指“${nearest}”吗？（参见 millrace help）`,
  });
}

/** Levenshtein's, for words as short as commands. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}
