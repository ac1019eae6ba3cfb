import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import type { CaseReport } from '../bench/case.ts';
import { CASE_NAMES } from '../bench/case.ts';
import { createChildren } from '../bench/children.ts';
import { cpuSplit } from '../bench/cpu-split.ts';
import { figureOf, spreadOf } from '../bench/figure.ts';
import { createPinning } from '../bench/pinning.ts';
import { reportText } from '../bench/report-text.ts';
import type { Round } from '../bench/rounds.ts';
import { type BenchReport, runBench } from '../bench/run-bench.ts';
import type { Sizes } from '../bench/sizes.ts';

const CLI = resolve(import.meta.dirname, '../src/cli/main.ts');
/** The rest tells neither a process's CPU nor its memory. */
const IS_LINUX = process.platform === 'linux';

const TINY: Sizes = {
  json: { rounds: 2, seconds: 0.4, connections: 4 },
  stream: { rounds: 1, seconds: 0.4, connections: 4, tokens: 8 },
  paced: { rounds: 1, tokens: 5, intervalMs: 10, streams: [10] },
  latency: { rounds: 1, requests: 20 },
  memory: { streams: 20, tokens: 8, intervalMs: 200 },
  nginx: { rounds: 1, seconds: 0.3 },
  warmSeconds: 0.2,
};

const figure = ({ figures }: CaseReport, id: string) => {
  const found = figures.find(one => one.id === id);
  assert.ok(found, `no figure ${id}`);
  return found;
};

test('every case measures the real server and says how', async () => {
  const pinning = createPinning();
  await using children = createChildren(pinning);
  const said: string[] = [];
  const report = await runBench({
    children,
    pinning,
    sizes: TINY,
    only: CASE_NAMES,
    quick: true,
    say: ({ en }) => said.push(en),
  });
  assert.deepEqual(
    report.cases.map(({ name }) => name),
    CASE_NAMES,
  );
  assert.equal(report.pinning.pinned, report.pinning.reason === null);
  assert.equal(report.machine.node, process.version);
  assert.ok(report.machine.cores >= 1 && report.machine.kernel !== '' && report.machine.cpu !== '');
  const { otherMachines, otherPrograms } = report.noise ?? { otherMachines: 0, otherPrograms: 0 };
  assert.ok(otherMachines >= 0 && otherPrograms >= 0 && otherMachines + otherPrograms <= 1);
  for (const one of report.cases) {
    assert.equal(one.failures, 0, `${one.name}: requests failed`);
    assert.ok(one.how.en !== '' && one.how.zh !== '');
    for (const { id, measured, target, met } of one.figures) {
      assert.ok(measured.min <= measured.median && measured.median <= measured.max, id);
      assert.equal(target === undefined, met === undefined, id);
    }
  }
  checkRounds(report);
  const read: BenchReport = JSON.parse(JSON.stringify(report));
  assert.deepEqual(
    Object.keys(read),
    'bench version commit date seconds quick machine pinning noise sizes cases met'.split(' '),
  );
  for (const lang of ['en', 'zh'] as const) {
    const text = reportText(report, lang);
    for (const { title, figures } of report.cases)
      for (const words of [title, ...figures.map(({ what }) => what)])
        assert.ok(text.includes(words[lang]), words[lang]);
  }
});

function checkRounds({ cases }: BenchReport): void {
  const [json, stream, latency, memory, nginx] = cases;
  assert.ok(json && stream && latency && memory && nginx);
  const p50 = (id: string) => figure(latency, id).measured.median;
  assert.ok(p50('engineP50') > 0 && p50('millraceP50') > p50('engineP50'));
  if (!IS_LINUX) {
    assert.ok(json.skipped && stream.skipped && memory.skipped && nginx.skipped);
    return;
  }
  const rounds = json.rounds as readonly Round[];
  assert.equal(rounds.length, TINY.json.rounds);
  for (const { millrace, relay } of rounds) {
    const { cpu, requests = 0 } = millrace ?? {};
    assert.ok(cpu?.split && cpu.loading && relay?.cpu && requests > 0 && relay.requests > 0);
    // An intent and a settlement of each, and none is left.
    assert.equal(cpu.loading.entries, 2 * requests);
    assert.equal(cpu.loading.emptied, true);
    assert.ok(cpu.usPerUnit > 0 && cpu.loading.usPerUnit >= cpu.usPerUnit);
    for (const part of ['gatewayUs', 'journalUs', 'mainUs'] as const) assert.ok(cpu.split[part] > 0, part);
    const { totalUs, gatewayUs, journalUs, mainUs, v8Us, otherUs } = cpu.loading.split;
    const parts = gatewayUs + journalUs + mainUs + v8Us + otherUs;
    assert.ok(Math.abs(parts - totalUs) < 0.001, `${parts} µs in threads, ${totalUs} µs in all`);
  }
  for (const id of ['saturated.ratioToRelay', 'paced10.ratioToRelay'])
    assert.ok(figure(stream, id).measured.median > 0, id);
  figure(memory, 'residentEach');
  figure(memory, 'growthEach');
  if (nginx.skipped) assert.equal(nginx.skipped.en, 'nginx: not installed');
  else assert.ok(figure(nginx, 'json.ratioToNginx').measured.median > 0);
}

test('medians, spreads, verdicts', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { min: 1, median: 2, max: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { min: 1, median: 2.5, max: 4 });
  const what = { en: 'it', zh: '它' };
  const judged = (target: { most?: number; least?: number }, ...rounds: (number | undefined)[]) =>
    figureOf({ id: 'it', what, unit: 'µs', target }, rounds).map(({ met }) => met);
  assert.deepEqual(judged({ most: 2 }, 1, 2, 9), [true]);
  assert.deepEqual(judged({ most: 2 }, 1, 2.1, 9), [false]);
  assert.deepEqual(judged({ least: 2 }, 1, 2, 9), [true]);
  assert.deepEqual(judged({ least: 3 }, 1, 2, 9), [false]);
  assert.deepEqual(judged({ most: 2 }, 1, undefined), [], 'a round that tells nothing is no round of zero');
  assert.deepEqual(judged({ most: 2 }), []);
});

test('threads are told apart by name, else by age', () => {
  const cost = (...threads: [id: number, name: string, cpuUs: number][]) => ({
    cpuUs: threads.reduce((sum, [, , cpuUs]) => sum + cpuUs, 0),
    residentBytes: 0,
    threads: threads.map(([id, name, cpuUs]) => ({ id, name, cpuUs })),
  });
  const before = cost([1, 'main', 10], [2, 'node-V8Worker', 5], [3, 'WorkerThread', 1], [4, 'WorkerThread', 2]);
  const after = cost(
    [1, 'main', 20],
    [2, 'node-V8Worker', 9],
    [3, 'WorkerThread', 3],
    [4, 'WorkerThread', 102],
    [5, 'WorkerThread', 7],
  );
  const expected = { totalUs: 123, gatewayUs: 100, journalUs: 2, mainUs: 10, v8Us: 4, otherUs: 7 };
  assert.deepEqual(cpuSplit(before, after), expected);
  const [main, v8, , ...rest] = after.threads;
  assert.ok(main && v8);
  const ended = { ...after, cpuUs: 150, threads: [main, v8, ...rest] };
  assert.equal(cpuSplit(before, ended).totalUs, 132, 'with a thread that has ended: what the process counts');
  const named = cost([1, 'main', 1], [2, 'gateway-0', 2], [3, 'journal', 3]);
  assert.deepEqual(cpuSplit(cost(), named), { totalUs: 6, gatewayUs: 2, journalUs: 3, mainUs: 1, v8Us: 0, otherUs: 0 });
});

test('a wrong case is refused in both languages, before anything starts', async () => {
  for (const [lang, words] of [
    ['en', /--only takes some of these, with commas between: json,stream,latency,memory,nginx/],
    ['zh', /--only 应为以下项目，以逗号分隔：json,stream,latency,memory,nginx/],
  ] as const) {
    const child = spawn(process.execPath, [CLI, '--lang', lang, 'bench', '--only', 'json,speed']);
    let err = '';
    child.stderr.on('data', chunk => {
      err += chunk;
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 2);
    assert.match(err, words);
  }
});

test('Ctrl+C ends all that was started and leaves nothing behind', async t => {
  if (!IS_LINUX) return t.skip('finds the processes in /proc');
  const folder = temporaryFolder(t);
  const child = spawn(process.execPath, [CLI, 'bench', '--quick', '--only', 'json', '--lang', 'en'], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  await measuring(child);
  const started = descendants(child.pid ?? 0);
  // The bench, engine, server, relay; the load is about to start.
  assert.ok(started.length >= 4, `${started.length} processes`);
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  assert.equal(code, 130);
  assert.deepEqual(started.filter(isAlive), []);
  assert.deepEqual(readdirSync(folder), []);
});

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mr-t-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function measuring(child: ChildProcess): Promise<void> {
  assert.ok(child.stderr);
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    if (line.includes('round 1 of')) return;
  }
  assert.fail(said.join('\n'));
}

function descendants(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap(task =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number),
  );
  return children.flatMap(child => [child, ...descendants(child)]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
