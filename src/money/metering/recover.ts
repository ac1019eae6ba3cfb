import {
  ENTRY_KIND,
  type Intent,
  type JournalRecord,
  NO_USAGE,
  type Progress,
  type Settlement,
} from '../../ground/journal/index.ts';
import { crashPoint, Fault } from '../../ground/std/index.ts';
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
 * what was written as settled: any number of kills gives each request one settlement. Returns how many were settled. Throws
 * Fault `config_invalid` where the price version of a request is not known.
 */
export async function settleOrphans(
  open: readonly { readonly intent: Intent; readonly progress: Progress | undefined }[],
  by: {
    readonly priceVersion: (version: string) => Promise<PriceVersion | undefined>;
    /** Resolves when the record is durable. */
    readonly append: (record: JournalRecord) => Promise<void>;
    readonly nowMs: () => number;
  },
): Promise<number> {
  for (let start = 0; start < open.length; start += AT_ONCE) {
    const settled = open.slice(start, start + AT_ONCE).map(async ({ intent, progress }) => {
      const price = await by.priceVersion(intent.priceVersion);
      if (!price) throw unknownPrice(intent);
      const cost = intent.costVersion === undefined ? undefined : await by.priceVersion(intent.costVersion);
      const value = recoverSettlement(intent, { progress, price, cost, nowMs: by.nowMs() });
      crashPoint('recovery.before-write');
      await by.append({ kind: ENTRY_KIND.settlement, value });
      crashPoint('recovery.after-write');
    });
    await Promise.all(settled);
  }
  return open.length;
}

function unknownPrice({ id, priceVersion }: Intent): Fault {
  return new Fault('config_invalid', {
    message: `The price version ${priceVersion} of request ${id} is not in the store: this store does not belong to this journal`,
    messageZh: `存储中缺少请求 ${id} 的价格版本 ${priceVersion}：存储与日志不匹配`,
  });
}
