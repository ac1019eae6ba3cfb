// The schema, as the steps that lead to it, oldest first. A step that was released is never changed: another follows it.
import type { Migration } from '../migrate.ts';
import { core } from './0001-core.ts';
import { ledger } from './0002-ledger.ts';
import { nodes } from './0003-nodes.ts';
import { timeouts } from './0004-timeouts.ts';
import { walletEntries } from './0005-wallet-entries.ts';
import { disputes } from './0006-disputes.ts';
import { suspense } from './0007-suspense.ts';
import { walletOrder } from './0008-wallet-order.ts';

/** In order; none is ever edited or removed after it was released. */
export const MIGRATIONS: readonly Migration[] = [
  core,
  ledger,
  nodes,
  timeouts,
  walletEntries,
  disputes,
  suspense,
  walletOrder,
];
