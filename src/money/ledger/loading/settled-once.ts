import type { Nano } from '@millrace/contract';
import type { Intent, Settlement } from '../../../ground/journal/index.ts';
import { walletAccount } from '../accounts.ts';
import type { Settled } from './settled.ts';

/**
 * Tells of each settlement once it is committed, and once only: also where the answer to a commit was lost, and where the store was
 * put back and what it lost is loaded again.
 */
export interface SettledOnce {
  /** What settlements took from each wallet since the start, by account. */
  readonly charged: ReadonlyMap<string, Nano>;
  /** They are being written. */
  writing(settled: readonly Settled[]): void;
  /** It was put aside, and is booked after all; `isCharged`: what it costs had been taken from what may be spent since the start. */
  booked(settled: Settled, isCharged: boolean): void;
  /** The store was asked, and has all up to this entry: what was being written among it, too. */
  foundUpTo(seq: number): void;
  /** Entries up to `readTo` are in the store; `known`, the requests among them that were before. */
  written(settled: readonly Settled[], known: ReadonlySet<string>, readTo: number): void;
}

export function createSettledOnce(onSettled: (settlement: Settlement, intent: Intent) => void = () => {}): SettledOnce {
  const charged = new Map<string, Nano>();
  let toldTo = 0;
  let unsure: readonly Settled[] = [];
  const tell = (settled: Settled) => {
    onSettled(settled.settlement, settled.intent);
    charge(settled);
  };
  const charge = ({ settlement, intent }: Settled) => {
    if (settlement.amountNano === 0n) return;
    const wallet = walletAccount(intent.organizationId, settlement.currency);
    charged.set(wallet, (charged.get(wallet) ?? 0n) + settlement.amountNano);
  };
  return {
    charged,
    writing(settled) {
      unsure = unsure.length === 0 ? settled : [...unsure, ...settled];
    },
    booked(settled, isCharged) {
      onSettled(settled.settlement, settled.intent);
      if (isCharged) charge(settled);
    },
    foundUpTo(seq) {
      for (const each of unsure) if (each.seq <= seq && each.seq > toldTo) tell(each);
      unsure = unsure.filter(each => each.seq > seq);
      toldTo = Math.max(toldTo, seq);
    },
    written(settled, known, readTo) {
      // In the order of the journal, but for what an earlier try had written already.
      for (const each of settled) if (each.seq > toldTo) tell(each);
      if (known.size > 0) for (const each of unsure) if (each.seq > toldTo && known.has(each.settlement.id)) tell(each);
      unsure = [];
      toldTo = Math.max(toldTo, readTo);
    },
  };
}
