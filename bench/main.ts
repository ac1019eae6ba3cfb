// npm run bench [-- --quick] [--only json,stream,latency,memory,nginx] [--out FILE] [--check]: the speed that is claimed,
// measured here and now. A table on stdout, all of it as JSON in a file; exit code 0 when measured, 1 when it could not be or,
// with --check, when a target is missed, 2 for wrong use. `--json` prints the JSON in place of the table.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { langOf } from '../src/config.ts';
import { CASE_NAMES, type CaseName } from './case.ts';
import { createChildren } from './children.ts';
import { createPinning } from './pinning.ts';
import { reportText } from './report-text.ts';
import { runBench } from './run-bench.ts';
import { FULL, QUICK } from './sizes.ts';

/** One Ctrl+C comes several times, from the terminal and from each launcher. Later than this it is a new one, which does not wait. */
const AGAIN_MS = 1_000;
const RESULTS = resolve(import.meta.dirname, 'results/local');

const lang = langOf(process.env);
const tell = (text: string) => void process.stderr.write(`${text}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      out: { type: 'string' },
      check: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const only = casesOf(values.only);
  if (!only) {
    const names = CASE_NAMES.join(',');
    tell(
      lang === 'zh'
        ? `--only 应为以下项目，以逗号分隔：${names}`
        : `--only takes some of these, with commas between: ${names}`,
    );
    return 2;
  }
  const pinning = createPinning();
  await using children = createChildren(pinning);
  let stoppedMs: number | undefined;
  const stop = () => {
    const nowMs = performance.now();
    stoppedMs ??= nowMs;
    // What needs them fails, and the way out removes what was made.
    if (stoppedMs === nowMs) void children[Symbol.asyncDispose]();
    else if (nowMs - stoppedMs > AGAIN_MS) {
      children.kill();
      process.exit(130);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  process.on('disconnect', stop);
  const say = (words: { readonly en: string; readonly zh: string }) => tell(words[lang]);
  try {
    const sizes = values.quick ? QUICK : FULL;
    const report = await runBench({ children, pinning, sizes, only, quick: values.quick, say });
    const json = `${JSON.stringify(report, null, 2)}\n`;
    const file = resolve(values.out ?? `${RESULTS}/${report.date.replace(/[:.]/g, '-')}.json`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, json);
    process.stdout.write(values.json ? json : `\n${reportText(report, lang)}\n${relative(process.cwd(), file)}\n`);
    return values.check && !report.met ? 1 : 0;
  } catch (error) {
    if (stoppedMs !== undefined) return 130;
    tell(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 1;
  }
}

function casesOf(text: string | undefined): readonly CaseName[] | undefined {
  if (text === undefined) return CASE_NAMES;
  const named = text.split(',').map(name => CASE_NAMES.find(known => known === name.trim()));
  return named.every(name => name !== undefined) ? named : undefined;
}

const code = await main();
process.stdout.write('', () => process.exit(code));
