// Entry of the child process; started by the supervisor, never imported. What it compiles is kept for the next start.
import { enableCompileCache } from 'node:module';
import type { HostOptions } from './host-messages.ts';
import { leaveOut } from './leave-out.ts';

// From the supervisor alone, which wrote it a moment ago from its own types.
const options: HostOptions = JSON.parse(process.argv[2] ?? '{}');
if (options.compileCache !== undefined) enableCompileCache(options.compileCache);
leaveOut();
const { runHost } = await import('./host/index.ts');
await runHost(options, performance.timeOrigin);
