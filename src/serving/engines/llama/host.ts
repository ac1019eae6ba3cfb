// Entry of the child process; started by the supervisor, never imported.
import { runHost } from './host/index.ts';
import type { HostOptions } from './host-messages.ts';

// From the supervisor alone, which wrote it a moment ago from its own types.
const options: HostOptions = JSON.parse(process.argv[2] ?? '{}');
await runHost(options, performance.timeOrigin);
