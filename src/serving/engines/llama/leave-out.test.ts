import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

/** As a host does it, where another process may not be made and each module that is loaded is written down. */
const PROGRAM = `
import child from 'node:child_process';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
for (const name of ['fork', 'spawn', 'exec', 'execFile']) child[name] = () => { throw new Error('a process was made'); };
syncBuiltinESMExports();
const loaded = [];
registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
const { leaveOut } = await import('./leave-out.ts');
leaveOut();
const { loadEngine } = await import('./host/model/load-engine.ts');
const file = process.argv[1];
const engine = await loadEngine({ file, threads: 1, onLog() {}, nowMs: () => performance.now() });
process.stdout.write(JSON.stringify({ name: engine.summary.name, loaded }), () => process.exit(0));
`;

test('an engine loads without a trial in another process, and without what a server never uses', async () => {
  const { NANO } = await import('./engine-fixture.ts');
  const args = ['--input-type=module', '-e', PROGRAM, NANO];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: import.meta.dirname,
    maxBuffer: 2 ** 24,
  });
  const { name, loaded }: { name: string; loaded: string[] } = JSON.parse(stdout);
  assert.equal(name, 'millrace-nano');
  assert.ok(loaded.some(url => url.includes('/node-llama-cpp/')));
  const packages = new Set(loaded.map(url => url.split('/node_modules/').at(-1)?.split('/')[0]));
  for (const left of ['ipull', 'ora', 'simple-git', 'stdout-update', 'slice-ansi', 'string-width'])
    assert.ok(!packages.has(left), left);
});
