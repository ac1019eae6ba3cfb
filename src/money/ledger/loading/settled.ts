import type { Currency, Nano } from '@millrace/contract';
import type { Attempt, Intent, Settlement } from '../../../ground/journal/index.ts';

/** A settlement with the intent it ends, and what follows from them. */
export interface Settled {
  /** Where it stands in the journal. */
  readonly seq: number;
  readonly settlement: Settlement;
  readonly intent: Intent;
  /** The one call of an upstream, where it used what is charged and claims no more: told by the row of the request itself. */
  readonly call: Attempt | undefined;
  readonly cost: Cost | undefined;
}

export interface Cost {
  readonly nano: Nano;
  readonly currency: Currency;
}

export function settledOf(seq: number, settlement: Settlement, intent: Intent): Settled {
  return { seq, settlement, intent, call: soleCall(settlement), cost: costOf(settlement.attempts) };
}

function soleCall({ attempts, usage }: Settlement): Attempt | undefined {
  const [call] = attempts;
  if (!call || attempts.length > 1 || call.number !== 1 || call.disputed) return undefined;
  // A cost without its currency, or the other way round, is not what the row can say.
  if ((call.costNano === undefined) !== (call.costCurrency === undefined)) return undefined;
  const { inputTokens, cachedInputTokens, outputTokens, reasoningTokens } = call.usage;
  const same =
    inputTokens === usage.inputTokens &&
    cachedInputTokens === usage.cachedInputTokens &&
    outputTokens === usage.outputTokens &&
    reasoningTokens === usage.reasoningTokens;
  return same ? call : undefined;
}

/**
 * What all attempts of a request cost. Undefined where one of them used something at a cost that is not known, or where they cost
 * in several currencies: then their own rows tell it, each in its own. An attempt that cost nothing costs it in every currency.
 */
function costOf(attempts: readonly Attempt[]): Cost | undefined {
  let nano = 0n;
  let currency: Currency | undefined;
  for (const { costNano, costCurrency, usage } of attempts) {
    if (costNano === undefined || costCurrency === undefined) {
      if (usage.inputTokens > 0 || usage.outputTokens > 0) return undefined;
      continue;
    }
    if (currency !== undefined && currency !== costCurrency && costNano > 0n && nano > 0n) return undefined;
    if (nano === 0n || costNano > 0n) currency = costCurrency;
    nano += costNano;
  }
  return currency === undefined ? undefined : { nano, currency };
}
