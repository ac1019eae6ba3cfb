import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { COMMANDS } from './commands/index.ts';
import { commandHelp } from './help.ts';
import { runCli } from './run.ts';

const home = mkdtempSync(join(tmpdir(), 'mr-cli-'));
after(() => rmSync(home, { recursive: true }));

/** Runs a command line in this process, on a home where no server runs. */
async function cli(line: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let [stdout, stderr] = ['', ''];
  const code = await runCli(line, {
    env: { MILLRACE_HOME: home, MILLRACE_LOG: 'silent', ...env },
    stdout: text => {
      stdout += text;
    },
    stderr: text => {
      stderr += text;
    },
  });
  return { code, stdout, stderr };
}

test('a wrong use is one sentence with what was meant, and exit code 2', async () => {
  const cases: readonly [line: readonly string[], sentence: string][] = [
    [['srve'], 'There is no command "srve"; did you mean "serve"? (millrace help lists all)'],
    [['frobnicate'], 'There is no command "frobnicate" (millrace help lists all)'],
    [['key'], '"key" is followed by one of: create, list, update, revoke'],
    [['key', '--json'], '"key" is followed by one of: create, list, update, revoke'],
    [['key', 'update', 'key_x'], 'key update: nothing is to be changed (millrace key update --help)'],
    [['key', 'update', 'key_x', '--rpm', '5', '--clear', 'rpm'], '--rpm does not go with --clear rpm'],
    [
      ['key', 'update', 'key_x', '--clear', 'colour'],
      '--clear: "colour" is none of models, ip, rpm, tpm, concurrency, budget, expires',
    ],
    [
      ['org', '--json', 'craete'],
      '"org" is followed by one of: create, list, suspend, resume; did you mean "org create"?',
    ],
    [['key', 'craete'], '"key" is followed by one of: create, list, update, revoke; did you mean "key create"?'],
    [['wallet', 'show'], 'wallet show: --org ID is missing (millrace wallet show --help)'],
    [['wallet', 'show', '--org'], '--org needs a value: --org ID'],
    [['wallet', 'show', '--org', '--json'], '--org needs a value: --org ID'],
    [['wallet', 'show', '--org='], '--org is empty'],
    [
      ['wallet', 'show', '--ogr', 'x'],
      'wallet show has no flag --ogr; did you mean --org? (millrace wallet show --help)',
    ],
    [['org', 'list', 'acme'], 'org list: "acme" is one word too many (millrace org list --help)'],
    [['key', 'revoke'], 'key revoke: ID is missing (millrace key revoke --help)'],
    [['key', 'create', '--org', 'a'], 'key create: --project ID is missing (millrace key create --help)'],
    [
      ['key', 'create', '--org', 'a', '--project', 'b', '--rpm', '1.5'],
      '--rpm: "1.5" is not a whole number above zero',
    ],
    [
      ['key', 'create', '--org', 'a', '--project', 'b', '--budget', 'ten'],
      '--budget: "ten" is not of the form 10CNY, 10CNY/day or 10CNY/month',
    ],
    [['apply'], 'apply: --file FILE is missing (millrace apply --help)'],
    [['apply', '-f', '/nowhere.yaml'], '/nowhere.yaml: there is no such file'],
    [['apply', '-f', 'x', '--dry-run=yes'], '--dry-run takes no value'],
    [['--lang', 'fr', 'org', 'list'], '--lang: "fr" is neither en nor zh'],
    [['--lang'], '--lang needs a value: --lang en|zh'],
    [['org', 'list', '--lang='], '--lang needs a value: --lang en|zh'],
    [['help', '--lang=xx'], '--lang: "xx" is neither en nor zh'],
    [['key', 'revoke', ''], 'key revoke: ID is empty'],
    [['usage', '--org', 'a', '--limit', ''], '--limit is empty'],
    [['usage', '--org', 'a', '--org', 'b'], '--org stands twice'],
    [['key', 'create', '--admin', '--rpm', '5'], '--rpm does not go with --admin'],
    [['serve', '--port', '99999'], '--port "99999" is not a whole number from 0 to 65535'],
    [['serve', '--host=a b'], '--host "a b" is not an address or a host name'],
    // Words of the control API are told in the words of the command line.
    [['provider', 'add', 'myown'], '--base-url: is missing, and "myown" is no vendor that is known'],
    [
      ['provider', 'add', 'mine', '--base-url', 'http://10.0.0.7:8000/v1'],
      '--base-url: 10.0.0.7 is on a private network: set --allow-private-network to allow it',
    ],
    [['usage', '--project', 'web'], '--project: needs --org: each has projects of its own'],
    [
      ['org', 'create', '中文'],
      'ID: "中文" is not an id: use up to 64 of a-z, 0-9, "." "_" "-", starting and ending with a letter or digit',
    ],
    [
      ['key', 'create', '--org', 'a', '--project', 'b', '--budget', '0CNY'],
      '--budget: "0" is not an amount above zero: use a decimal number such as 12.5, up to 1000000000, with at most nine decimals',
    ],
    [
      ['key', 'create', '--org', 'a', '--project', 'b', '--expires', 'soon'],
      '--expires: "soon" is not a date: use 2026-01-31 (midnight UTC) or 2026-01-31T08:00:00+08:00',
    ],
    [
      ['key', 'create', '--org', 'a', '--project', 'b', '--models', 'x,,y'],
      '--models: "" is neither a model id nor one with a trailing "*"',
    ],
    [['usage', '--org', 'a', '--limit', '1e2'], '--limit: "1e2" is not a whole number'],
    [['usage', '--org', 'a', '--limit', '1001'], '--limit: must be at most 1000'],
    [['usage', '--org', 'a', '--cursor', 'x'], '--cursor: "x" is not the `next` of a page'],
    [
      ['usage', '--org', 'a', '--from', '2026-02-30'],
      '--from: "2026-02-30" is not a date: use 2026-01-31 (midnight UTC) or 2026-01-31T08:00:00+08:00',
    ],
    [
      ['usage', '--org', 'a', '--from', '2026-02-01', '--to', '2026-01-01'],
      '--from: "2026-02-01" is not before "2026-01-01"',
    ],
    [
      ['plan', 'run', 'nowhere'],
      'nowhere: is no file that can be read, and no shipped scenario; those are deepseek-day, r1-100b, qwen3-32b-h20, wechat-h20',
    ],
    [['plan', 'list', 'models', 'x'], 'plan: "x" is one word too many'],
    [['plan', 'run', 'deepseek-day', '--report', '/nowhere/x'], '/nowhere/x: cannot be written (ENOENT)'],
    [['org', 'list', '--lang', 'fr'], '--lang: "fr" is neither en nor zh'],
    [['wallet', 'credit', '--org', 'a', '--amount', '1', '--currency', 'CNY'], 'There is no organization a'],
  ];
  for (const [line, sentence] of cases) {
    const { code, stdout, stderr } = await cli(line);
    assert.equal(stderr, `${sentence}\n`, line.join(' '));
    assert.equal(code, sentence.startsWith('There is no organization') ? 1 : 2, line.join(' '));
    const json = line.includes('--json') && !line.includes('--org');
    if (json) assert.equal(JSON.parse(stdout).error.code, 'config_invalid');
    else if (!line.includes('--json') && line[0] !== 'plan') assert.equal(stdout, '');
    // Nothing but one object of JSON, and the sentence in the other language.
    const zh = await cli(['--json', ...line], { LANG: 'zh_CN.UTF-8' });
    assert.equal(zh.code, code);
    if (line[1] === 'run') continue;
    assert.match(JSON.parse(zh.stdout).error.message, /\p{Script=Han}/u, line.join(' '));
    assert.equal(zh.stderr, `${JSON.parse(zh.stdout).error.message}\n`);
  }
  assert.match((await cli(['srve', '--lang', 'zh'])).stderr, /没有命令“srve”，是否想输入“serve”/);
  assert.match((await cli(['srve'], { LANG: 'zh_CN.UTF-8' })).stderr, /没有命令/);
});

test('a wrong environment is one sentence that names the variable, and exit code 2', async () => {
  const cases: readonly [name: string, value: string, sentence: RegExp][] = [
    ['MILLRACE_PORT', '80x', /^MILLRACE_PORT "80x" is not a whole number from 0 to 65535\n$/],
    ['MILLRACE_PORT', '65536', /^MILLRACE_PORT /],
    ['MILLRACE_THREADS', '0', /^MILLRACE_THREADS "0" is not a whole number from 1 to 64\n$/],
    ['MILLRACE_HOST', 'http://x', /^MILLRACE_HOST "http:\/\/x" is not an address or a host name\n$/],
    ['MILLRACE_LOG', 'loud', /^MILLRACE_LOG must be one of debug, info, warn, error, silent\n$/],
    ['MILLRACE_DRAIN_MS', '-1', /^MILLRACE_DRAIN_MS /],
    ['DATABASE_URL', 'mysql://x', /^DATABASE_URL must begin with postgres:\/\/\n$/],
    ['VALKEY_URL', 'redis://x', /^VALKEY_URL is for several nodes on one database: set DATABASE_URL .*\n$/],
    ['VALKEY_URL', 'http://x', /^VALKEY_URL must be an address such as redis:.*\n$/],
    ['MILLRACE_LEASE_MS', '10', /^MILLRACE_LEASE_MS /],
    ['MILLRACE_HOME', '/dev/null', /^MILLRACE_HOME is \/dev\/null, which is a file, not a folder\n$/],
  ];
  for (const [name, value, sentence] of cases) {
    const { code, stderr } = await cli(['org', 'list'], { [name]: value });
    assert.match(stderr, sentence);
    assert.equal(code, 2, name);
    assert.match((await cli(['org', 'list'], { [name]: value, LANG: 'zh_CN.UTF-8' })).stderr, /\p{Script=Han}/u);
  }
});

test('every command explains itself in both languages, whatever the environment', async () => {
  for (const command of COMMANDS) {
    if (command.name === 'plan') continue;
    for (const [lang, word] of [
      ['en', 'Usage:'],
      ['zh', '用法：'],
    ] as const) {
      const { code, stdout } = await cli([...command.name.split(' '), '--help', '--lang', lang], {
        MILLRACE_PORT: 'bad',
      });
      assert.equal(code, 0);
      assert.ok(stdout.startsWith(word), command.name);
      assert.equal(stdout, `${commandHelp(command, lang)}\n`);
      assert.ok(command.flags.every(({ name }) => stdout.includes(`--${name}`)));
    }
  }
  assert.match((await cli([])).stdout, /^Millrace: one API/);
  assert.match((await cli(['help', 'wallet', 'show'])).stdout, /^Usage: millrace wallet show --org ID/);
});

test('without a server the tool opens the home itself; answers have their documented shapes', async () => {
  const json = async (...line: string[]) => {
    const { code, stdout, stderr } = await cli([...line, '--json']);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  assert.deepEqual(await json('org', 'create', 'acme', '--name', 'Acme Inc.'), {
    id: 'acme',
    name: 'Acme Inc.',
    suspended: false,
  });
  assert.deepEqual(await json('project', 'create', 'web', '--org', 'acme'), {
    organizationId: 'acme',
    id: 'web',
    name: 'web',
  });
  const key = await json('key', 'create', '--org', 'acme', '--project', 'web');
  assert.deepEqual(Object.keys(key), ['id', 'key']);
  assert.match(key.key, /^mr_live_/);
  assert.deepEqual(await json('wallet', 'credit', '--org', 'acme', '--amount', '100', '--currency', 'CNY'), {
    booked: true,
    currency: 'CNY',
    balance: '100',
    held: '0',
    available: '100',
  });
  await json('wallet', 'credit', '--org', 'acme', '--amount', '-0.5');
  assert.deepEqual(await json('wallet', 'show', '--org', 'acme'), {
    currency: 'CNY',
    balance: '99.5',
    held: '0',
    available: '99.5',
    wallets: [{ currency: 'CNY', balance: '99.5', held: '0', available: '99.5' }],
  });
  assert.deepEqual(await json('usage', '--org', 'acme'), { totals: [], groups: [], lines: [], next: null });
  const proof = await json('ledger', 'verify');
  assert.equal(proof.ok, true);
  assert.deepEqual(
    proof.invariants.map(({ id }: { id: string }) => id),
    ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9', 'I10', 'I11'],
  );
  assert.deepEqual(await json('key', 'revoke', key.id), { id: key.id, revoked: true });
  assert.equal((await cli(['key', 'revoke', 'key_none'])).code, 1);
  assert.equal((await cli(['org', 'create', 'acme'])).code, 2);
  assert.equal(
    (await cli(['wallet', 'show', '--org', 'acme', '--currency', 'USD'])).stderr,
    'acme has no wallet in USD\n',
  );
});

test('people read tables', async () => {
  assert.equal(
    (await cli(['wallet', 'show', '--org', 'acme', '--lang', 'zh'])).stdout,
    '币种  余额  预留  可用\nCNY   99.5     0  99.5\n',
  );
  assert.match((await cli(['ledger', 'verify'])).stdout, /✓ {2}I1 .*\n.*The books are right\.\n$/s);
  await cli(['key', 'create', '--admin', '--name', 'ops']);
  await cli(['key', 'create', '--admin', '--role', 'finance', '--org', 'acme', '--name', 'books']);
  const keys = (await cli(['key', 'list'])).stdout;
  assert.match(keys, / all +ops +role admin .*\n.* acme +books +role finance /);
});

test('amounts are decimal numbers and nothing else', async () => {
  for (const amount of [
    '1e3',
    '0',
    '-0',
    '+5',
    ' 5',
    '5.',
    '.5',
    '1,000',
    '0x10',
    '１２',
    'NaN',
    'Infinity',
    '0.0000000001',
    '1000000001',
    '9'.repeat(40),
  ]) {
    const { code, stderr } = await cli(['wallet', 'credit', '--org', 'acme', '--currency', 'CNY', '--amount', amount]);
    assert.equal(code, 2, amount);
    assert.ok(
      stderr.startsWith(`--amount: "${amount}" is not an amount other than zero: use a decimal number`),
      stderr,
    );
  }
  const tooMuch = await cli(['wallet', 'credit', '--org', 'acme', '--currency', 'CNY', '--amount', '-500']);
  assert.deepEqual([tooMuch.code, tooMuch.stderr], [1, 'The wallet does not hold 500 CNY\n']);
  for (const currency of ['cny', 'EURO', '人民币', 'XYZ', 'XXX', 'CYN']) {
    const { code, stderr } = await cli(['wallet', 'credit', '--org', 'acme', '--currency', currency, '--amount', '1']);
    assert.deepEqual([code, stderr.startsWith(`--currency: "${currency}" is not a currency code`)], [2, true]);
  }
});

test('nobody and nothing are two answers', async () => {
  for (const line of [
    ['usage', '--org', 'nobody'],
    ['key', 'list', '--org', 'nobody'],
    ['project', 'list', '--org', 'nobody'],
    ['wallet', 'show', '--org', 'nobody'],
  ]) {
    const { code, stderr } = await cli(line);
    assert.deepEqual([code, stderr], [1, 'There is no organization nobody\n'], line.join(' '));
  }
  const { code, stderr } = await cli(['usage', '--org', 'acme', '--project', 'wbe']);
  assert.deepEqual([code, stderr], [1, 'The organization acme has no project wbe\n']);
  assert.equal((await cli(['model', 'list'])).stdout, 'There are none.\n');
  assert.equal((await cli(['model', 'list', '--lang', 'zh'])).stdout, '没有。\n');
});

test('help on a group of commands, and help as JSON', async () => {
  for (const line of [
    ['help', 'key'],
    ['key', '--help'],
    ['key', '-h'],
    ['key', 'help'],
  ]) {
    const { code, stdout } = await cli(line);
    assert.equal(code, 0);
    assert.match(stdout, /\n {2}key create .+\n {2}key list .+\n {2}key update .+\n {2}key revoke /);
    assert.doesNotMatch(stdout, /wallet/);
  }
  for (const line of [['help'], ['key', '--help'], ['key', 'create', '--help'], ['plan'], ['plan', '--help']])
    assert.deepEqual(Object.keys(JSON.parse((await cli([...line, '--json'])).stdout)), ['help'], line.join(' '));
  for (const flag of ['--version', '-v', '-V', 'version']) assert.match((await cli([flag])).stdout, /^millrace \d/);
});

test('commands at once on a home without a server take turns', async () => {
  const ids = ['one', 'two', 'three'];
  const made = await Promise.all(ids.map(id => cli(['org', 'create', id])));
  assert.deepEqual(
    made.map(({ code, stderr }) => [code, stderr]),
    ids.map(() => [0, '']),
  );
  const { organizations } = JSON.parse((await cli(['org', 'list', '--json'])).stdout);
  for (const id of ids) assert.ok(organizations.some((one: { id: string }) => one.id === id));
});

test('books that are not right are told with exit code 1', async () => {
  const db = new DatabaseSync(join(home, 'store.db'));
  db.exec(`update balances set posted_nano = posted_nano + 1 where account_id like 'wallet:acme:%'`);
  db.close();
  const { code, stdout, stderr } = await cli(['ledger', 'verify', '--json']);
  assert.deepEqual([code, stderr], [1, '']);
  const proof = JSON.parse(stdout);
  assert.equal(proof.ok, false);
  assert.ok(proof.invariants.some(({ ok }: { ok: boolean }) => !ok));
  assert.match((await cli(['ledger', 'verify'])).stdout, /✗ {2}I2 .+\n.*The books are NOT right\.\n$/s);
});
