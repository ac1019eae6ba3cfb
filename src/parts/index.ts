// What a node is made of: one file per storey of parts, each with what it needs, how it is opened and how it is closed; the lists are
// the whole of it. A new capability is a part in a file, and a line here. It must not know the command line.
import { audit, jobs, journal, leasing, ledger, loader, slots, store, traffic } from './books.ts';
import { home, log } from './home.ts';
import { catalog, engines, runningEngines } from './models.ts';
import type { Part } from './part.ts';
import { balances, cluster, identity, recovery } from './people.ts';
import { control, firstKey, gateway, sockets, threads } from './serving.ts';

export { type Opening, openParts, type Start } from './part.ts';
export { catalog, control, engines, firstKey, gateway, loader };

/** What the command line works with where no server runs on the home. */
export const CONTROL_PARTS: readonly Part<unknown>[] = [
  ...[log, home, slots, store, engines, catalog, journal, traffic, leasing, loader, ledger, audit, jobs],
  ...[recovery, cluster, balances, identity, threads, control],
];

export const SERVER_PARTS: readonly Part<unknown>[] = [
  ...CONTROL_PARTS,
  ...[runningEngines, sockets, gateway, firstKey],
];
