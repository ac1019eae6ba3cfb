// The command-line tool's entry. What it compiles is kept for the next start: this file imports nothing of ours before it has said so.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Threads take it from the environment, before their first module.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(
  new URL('../../node_modules/.cache/millrace-compiled', import.meta.url),
);
enableCompileCache(process.env['NODE_COMPILE_CACHE']);
const { runProcess } = await import('./run-process.ts');
await runProcess();
