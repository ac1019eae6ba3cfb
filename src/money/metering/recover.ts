import {
  ENTRY_KIND,
  type Intent,
  type JournalRecord,
  NO_USAGE,
  type Progress,
  type Settlement,
} from '../../ground/journal/index.ts';
import { crashPoint } from '../../ground/std/index.ts';
import type { PriceVersion } from '../pricing/index.ts';
import { rate } from '../pricing/index.ts';

/**
 * Settles a request whose node died: from its last progress record, marked as estimated. Without one nothing is known to have
 * been delivered: nothing is charged, the source is `none`, and what the attempt cost is left unknown, to be found when the
 * provider's invoice is compared. The same intent, progress and time always give the same settlement.
 */
export function recoverSettlement(
  intent: Intent,
  from: {
    readonly progress: Progress | undefined;
    readonly price: PriceVersion;
    readonly cost: PriceVersion | undefined;
    readonly nowMs: number;
  },
): Settlement {
  const { progress, price, nowMs } = from;
  // When it would have ended nobody knows: both moments are that of the intent.
  const at = { startMs: intent.atMs, endMs: intent.atMs };
  const usage = progress
    ? { ...NO_USAGE, inputTokens: progress.inputTokens, outputTokens: progress.outputTokens }
    : NO_USAGE;
  const deploymentId = progress?.deploymentId ?? intent.deploymentId;
  // The cost in the intent is that of its first target; where another one answered, it says nothing.
  const cost = progress && deploymentId === intent.deploymentId ? from.cost : undefined;
  return {
    id: intent.id,
    atMs: nowMs,
    outcome: 'recovered',
    status: 0,
    usage,
    usageSource: progress ? 'progress' : 'none',
    estimated: progress !== undefined,
    amountNano: rate(usage, price, at).amountNano,
    currency: intent.currency,
    priceVersion: intent.priceVersion,
    attempts: [
      {
        number: 1,
        deploymentId,
        providerId: intent.providerId,
        status: 0,
        outcome: 'aborted',
        usage,
        ...(cost
          ? { costVersion: cost.version, costCurrency: cost.currency, costNano: rate(usage, cost, at).amountNano }
          : {}),
        durationMs: 0,
      },
    ],
    durationMs: Math.max(0, nowMs - intent.atMs),
    holdNano: progress && progress.holdNano > intent.holdNano ? progress.holdNano : intent.holdNano,
  };
}

/** Settled side by side: they share the journal's commits. */
const AT_ONCE = 256;

/**
 * Settles what the last run left open, through the journal. A kill in its midst leaves the rest to the next start, which finds
 * what was written as settled: any number of kills gives each request one settlement. Where it cannot be told what a request cost it
 * is put aside, and the node starts all the same. Returns how many were settled.
 */
export async function settleOrphans(
  open: readonly { readonly intent: Intent; readonly progress: Progress | undefined }[],
  by: {
    readonly priceVersion: (version: string) => Promise<PriceVersion | undefined>;
    /** Resolves when the record is durable. */
    readonly append: (record: JournalRecord) => Promise<void>;
    readonly putAside: (id: string, reason: string) => Promise<void>;
    readonly nowMs: () => number;
  },
): Promise<number> {
  let count = 0;
  for (let start = 0; start < open.length; start += AT_ONCE) {
    const settled = open.slice(start, start + AT_ONCE).map(async ({ intent, progress }) => {
      const price = await by.priceVersion(intent.priceVersion);
      const cost = intent.costVersion === undefined ? undefined : await by.priceVersion(intent.costVersion);
      const value = price ? trySettle(intent, { progress, price, cost, nowMs: by.nowMs() }) : unknownPrice(intent);
      if (typeof value === 'string') return by.putAside(intent.id, value);
      crashPoint('recovery.before-write');
      await by.append({ kind: ENTRY_KIND.settlement, value });
      crashPoint('recovery.after-write');
      count++;
    });
    await Promise.all(settled);
  }
  return count;
}

/** A text says why it cannot be told. */
function trySettle(intent: Intent, from: Parameters<typeof recoverSettlement>[1]): Settlement | string {
  try {
    return recoverSettlement(intent, from);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const unknownPrice = ({ priceVersion }: Intent) =>
  `its price version ${priceVersion} is not in the store: does this store belong to this journal?`;
