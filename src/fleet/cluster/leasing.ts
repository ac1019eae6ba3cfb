import type { Store } from '../../ground/store/index.ts';
import { createLeases } from '../../money/ledger/index.ts';

/** Whether what this node books comes out of its leases. */
export interface Leasing {
  isLeasing(): boolean;
  /** What the last run left is booked. */
  recovered(): Promise<void>;
}

/** What the last run spent comes out of its leases also where this node works alone from now on; then they are over. */
export function createLeasing(store: Store, isShared: boolean): Leasing {
  let leasing = store.dialect === 'postgres';
  return {
    isLeasing: () => leasing,
    async recovered() {
      leasing = isShared;
      // Nobody else is at work: what other nodes had is free, whatever their time.
      if (!isShared && store.dialect === 'postgres') await createLeases(store).expire('all');
    },
  };
}
