import type { Deployment } from '../../models/catalog/index.ts';
import type { Waiting } from '../../serving/routing/index.ts';
import type { Ticket } from '../stages/admit.ts';

/** An answer without a limit is not taken for the longest that there could be. */
const OUTPUT_GUESS = 4_096;

/** What a request waits for a place with. */
export function placeFor({ caller, call, plan }: Ticket): Omit<Waiting<Deployment>, 'granted' | 'refused'> {
  const held = plan.outputTokensHeld;
  const expected = call.maxOutputTokens === undefined ? Math.min(held, OUTPUT_GUESS) : held;
  return {
    // One row for an organization and currency, on all threads.
    tenant: plan.wallet.slot,
    weight: caller.weight,
    cost: call.inputTokensGuess + 2 * expected,
    targets: plan.targets,
  };
}
