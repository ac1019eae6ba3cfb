import type { JournalReader } from '../../ground/journal/index.ts';
import type { Store } from '../../ground/store/index.ts';
import { checkBalances, checkConservation, checkRollups } from './proof/balances.ts';
import { createFindings, type Invariant } from './proof/findings.ts';
import { checkHolds, checkJournal } from './proof/journal.ts';
import { bookPages } from './proof/pages.ts';
import { readPriceFigures } from './proof/price-figures.ts';
import { checkPayables, checkRequests } from './proof/requests.ts';
import { takeSnapshot } from './proof/snapshot.ts';
import { walkChain } from './proof/transactions.ts';

export interface Verification {
  readonly ok: boolean;
  readonly invariants: readonly Invariant[];
}

export interface VerifyOptions {
  readonly nodeId: string;
  readonly reader: JournalReader;
  readonly nowMs: number;
}

const HOUR_US = 3_600_000_000n;

/**
 * Proves the invariants I1 to I11 from the store and the journal, everything recomputed from zero. Reads page by page in the
 * reader thread while the ledger goes on: what changes is taken at one moment, the rest is insert-only and read up to there.
 */
export async function verifyLedger(store: Store, options: VerifyOptions): Promise<Verification> {
  const { nodeId, reader, nowMs } = options;
  const findings = createFindings();
  const snapshot = await takeSnapshot(store);
  // Of an hour that is over, and an hour more for what was settled in it and loaded late.
  const nowUs = BigInt(nowMs) * 1000n;
  const beforeUs = nowUs - (nowUs % HOUR_US) - HOUR_US;
  const chain = walkChain(findings);
  const prices = await readPriceFigures(store, findings);
  const requests = checkRequests(findings, { prices, rollupsBeforeUs: beforeUs });
  for await (const page of bookPages(store, snapshot)) {
    chain.check(page);
    requests.check(page);
  }
  chain.end(snapshot);
  checkBalances(snapshot, { sums: chain.accounts, overruns: requests.overruns }, findings);
  await checkRollups(store, requests, { findings, beforeUs });
  checkConservation(chain.accounts, findings);
  checkPayables(chain.accounts, requests, findings);
  await checkHolds(store, findings, nowMs);
  await checkJournal(store, { findings, nodeId, reader });
  const invariants = findings.invariants();
  return { ok: invariants.every(({ ok }) => ok), invariants };
}
