// node tools/run.mjs [--dev] COMMAND …: installs what is missing, then runs COMMAND on the pinned Node.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pinnedNode, root, setup } from './setup.mjs';

const LOOK_MS = 200;

const args = process.argv.slice(2);
const dev = args[0] === '--dev';
if (dev) args.shift();
await setup({ dev });
const node = pinnedNode();
const [command, ...rest] = args;

/** Runs one program to its end with our signals passed on; the channel tells the child when we are gone, however we went. */
function run(program, argv) {
  return new Promise(resolve => {
    const child = spawn(program, argv, {
      cwd: process.cwd(),
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, MILLRACE_PARENT: '1' },
    });
    let asked = false;
    const pass = signal => {
      asked = true;
      child.kill(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => pass(signal));
    onLauncherGone(() => asked || pass('SIGTERM'));
    child.on('error', error => {
      process.stderr.write(`${error.message}\n`);
      resolve(1);
    });
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

/**
 * npm passes a signal to its shell, which ends and tells us nothing (npm 11): then our parent is another than before. Nobody
 * watches where no npm started us: a shell that ends is no wish of its own.
 */
function onLauncherGone(act) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    act();
  }, LOOK_MS).unref();
}

const bin = name => join(root, 'node_modules', name);
const tasks = {
  script: () => run(node, rest),
  test: () => {
    const named =
      rest.length > 0
        ? rest
        : ['contract/src/**/*.test.ts', 'src/**/*.test.ts', 'tools/**/*.test.ts', 'test/**/*.test.ts'];
    // The files load the same tree, over and over: what one has compiled the next need not.
    process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'millrace-compiled');
    return run(node, [join(root, 'tools/test-files.mjs'), ...named]);
  },
  // `check` runs all; `check types` only the one named.
  check: async () => {
    const checks = {
      lint: [bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'],
      types: [bin('typescript/bin/tsc'), '-p', root],
      knip: [bin('knip/bin/knip.js'), '--no-progress'],
      tidy: [join(root, 'tools/tidy.ts')],
    };
    for (const [name, argv] of Object.entries(checks)) {
      if (rest.length > 0 && !rest.includes(name)) continue;
      const code = await run(node, argv);
      process.stdout.write(`${name}: ${code === 0 ? 'ok' : 'failed'}\n`);
      if (code !== 0) return code;
    }
    return 0;
  },
  build: () => run(node, [bin('typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')]),
};
process.exitCode = await (tasks[command] ?? (() => run(node, [join(root, 'src/cli/main.ts'), ...args])))();
