import type { PriceVersion } from '../catalog/index.ts';
import type { Intent, Progress, Settlement, Usage } from '../journal/index.ts';
import { rate } from './rate.ts';

/**
 * Settles a request whose node died: from its last progress record, marked as estimated. Without one nothing is known to have
 * been delivered, so nothing is charged. The same intent and progress always give the same settlement.
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
  const { progress, price, cost, nowMs } = from;
  const usage: Usage = progress
    ? {
        inputTokens: progress.inputTokens,
        cachedInputTokens: 0,
        outputTokens: progress.outputTokens,
        reasoningTokens: 0,
      }
    : { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };
  return {
    id: intent.id,
    atMs: nowMs,
    outcome: 'recovered',
    status: 0,
    usage,
    usageSource: progress ? 'progress' : 'none',
    estimated: progress !== undefined,
    amountNano: rate(usage, price).amountNano,
    currency: intent.currency,
    priceVersion: intent.priceVersion,
    attempts: [
      {
        number: 1,
        deploymentId: progress?.deploymentId ?? intent.deploymentId,
        providerId: intent.providerId,
        status: 0,
        outcome: 'aborted',
        usage,
        ...(cost && progress
          ? { costVersion: cost.version, costCurrency: cost.currency, costNano: rate(usage, cost).amountNano }
          : {}),
        durationMs: 0,
      },
    ],
    durationMs: Math.max(0, nowMs - intent.atMs),
  };
}
