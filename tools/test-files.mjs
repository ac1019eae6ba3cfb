// node tools/test-files.mjs FILE|GLOB …: runs test files side by side, says each as it ends and each failure at once. Node's own runner
// takes one file at a time on two cores, in the order of the alphabet, and its reporters are silent until a file is over.
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { inspect } from 'node:util';

const TIMEOUT_MS = 300_000;
/** What takes longest begins first, so that nothing long is left over at the end: tests of the whole, then the rest. */
const weight = file => (file.startsWith('test/') ? 0 : /engines|cli|store|ledger/.test(file) ? 1 : 2);

const named = process.argv.slice(2);
const files = [...new Set(named.flatMap(name => globSync(name).map(file => file.replaceAll('\\', '/'))))]
  .sort()
  .sort((a, b) => weight(a) - weight(b));
if (files.length === 0) {
  process.stderr.write(`no test file: ${named.join(' ')}\n`);
  process.exit(1);
}

const startMs = Date.now();
const write = text => process.stdout.write(`${text}\n`);
const seconds = ms => `${(ms / 1000).toFixed(1)} s`;
let ended = 0;

run({ files, concurrency: Math.max(2, availableParallelism()), timeout: TIMEOUT_MS })
  .on('test:fail', ({ name, file, line, details, todo }) => {
    if (todo !== undefined && todo !== false) return;
    process.exitCode = 1;
    // A suite fails for its tests, which are said.
    if (details.error?.failureType === 'subtestsFailed') return;
    write(`✖ ${name} (${file}:${line}, ${seconds(details.duration_ms)})`);
    write(inspect(details.error?.cause ?? details.error, { depth: 6 }).replaceAll(/^/gm, '    '));
  })
  .on('test:complete', ({ name, file, entryFile, nesting, details }) => {
    if (entryFile !== undefined || nesting !== 0 || !(file ?? name).endsWith(name)) return;
    ended += 1;
    const mark = details.passed ? '✔' : '✖';
    write(
      `${mark} [${ended}/${files.length}, ${seconds(Date.now() - startMs)}] ${name} (${seconds(details.duration_ms)})`,
    );
  })
  // What a file says beside its tests: why it could not be loaded, for instance.
  .on('test:stdout', ({ message }) => process.stdout.write(message))
  .on('test:stderr', ({ message }) => process.stderr.write(message))
  .on('test:diagnostic', ({ message, file }) => {
    if (file === undefined) write(`ℹ ${message}`);
  });
