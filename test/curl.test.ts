// What people copy is run as it stands: the request that `npm start` prints, and the examples of both READMEs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import { newHome, startServer } from './support/server.ts';

const ROOT = resolve(import.meta.dirname, '..');
const noCurl = spawnSync('curl', ['--version']).status === 0 ? false : 'there is no curl';

interface Ran {
  readonly code: number | null;
  readonly out: string;
}

/** Runs a text in a shell as a person would, standard error after standard output. */
function shell(
  text: string,
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<Ran> {
  return new Promise((done, failed) => {
    const child = spawn('sh', ['-c', text], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', chunk => {
      out += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', chunk => {
      err += chunk;
    });
    child.on('error', failed);
    child.on('close', code => done({ code, out: out + err }));
  });
}

/** What `npm start` runs; all that it printed until it waits for requests, and how to end it. */
async function start(
  t: TestContext,
  lang: string,
  home: string,
): Promise<readonly [printed: string, stop: () => Promise<void>]> {
  const manifest = z.object({ scripts: z.object({ start: z.string() }) });
  const { scripts } = manifest.parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));
  const env = { ...process.env, MILLRACE_HOME: home, MILLRACE_PORT: '0', MILLRACE_THREADS: '1', MILLRACE_LANG: lang };
  const child = spawn('sh', ['-c', `exec ${scripts.start}`], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise(done => child.once('exit', done));
  const stop = async () => {
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
  };
  t.after(stop);
  let printed = '';
  for await (const line of createInterface({ input: child.stdout })) {
    printed += `${line}\n`;
    if (line.includes('Ctrl+C')) return [printed, stop];
  }
  assert.fail(`it ended with ${printed}`);
}

const completionSchema = z.object({
  choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })]),
  usage: z.object({ cost: z.object({ currency: z.string(), amount: z.string() }) }),
});

/** Whatever is said before it: on a busy machine, that the model is not there yet. */
const REQUEST = /\n {2}curl .+\n.+\n.+(?=\n\n)/;

for (const lang of ['en', 'zh'])
  test(`the request that npm start prints answers, at every start: ${lang}`, { skip: noCurl }, async t => {
    const { home, remove } = newHome();
    t.after(remove);
    for (const hasKey of [true, false]) {
      const [printed, stop] = await start(t, lang, home);
      const command = REQUEST.exec(printed)?.[0] ?? assert.fail(printed);
      assert.equal(command.includes('key create'), !hasKey);
      // In another shell, which knows nothing of this home but what is printed.
      const patient = command.replace('curl ', 'curl --silent --show-error --retry 60 ');
      const { code, out } = await shell(patient, { cwd: ROOT, env: {} });
      assert.equal(code, 0, out);
      const { choices, usage } = completionSchema.parse(JSON.parse(out));
      assert.match(choices[0].message.content, /\b85\b/);
      assert.ok(Number(usage.cost.amount) > 0);
      await stop();
    }
  });

/** The fenced blocks of one language in a Markdown file. */
function blocks(file: string, language: string): readonly string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(match => match[1] === language)
    .map(match => match[2] ?? '');
}

for (const file of ['README.md', 'README.zh.md'])
  test(`the example of ${file} runs as it stands`, async t => {
    const { home, remove } = newHome();
    const server = await startServer(home);
    t.after(async () => {
      await server.signal('SIGKILL');
      remove();
    });
    const folder = join(home, '..', 'work');
    mkdirSync(folder);
    symlinkSync(join(ROOT, 'millrace'), join(folder, 'millrace'));
    const yaml = blocks(file, 'yaml').filter(block => block.startsWith('# millrace.yaml'));
    const commands = blocks(file, 'sh').filter(block => block.includes('./millrace'));
    assert.deepEqual([yaml.length, commands.length], [1, 1]);
    writeFileSync(join(folder, 'millrace.yaml'), yaml[0] ?? '');
    const env = {
      MILLRACE_HOME: home,
      DEEPSEEK_KEY: 'sk-not-a-key',
      MILLRACE_LANG: file.includes('.zh.') ? 'zh' : 'en',
    };
    for (const command of (commands[0] ?? '').trim().split('\n')) {
      const { code, out } = await shell(command, { cwd: folder, env });
      assert.equal(code, 0, `${command}\n${out}`);
      assert.ok(out.trim() !== '' && !out.includes('sk-not-a-key'), command);
      const key = /mr_live_\w+/.exec(out)?.[0];
      assert.equal(key !== undefined, command.includes('key create'));
      if (key === undefined) continue;
      const models = await fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
      assert.match(await models.text(), /"deepseek-flash"/);
    }
    const wallet = await server.cli('wallet', 'show', '--org', 'acme');
    assert.equal(wallet.json['balance'], '100');
  });
