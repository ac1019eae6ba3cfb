import type { Deployment } from '../../models/catalog/index.ts';
import type { Waiting } from '../../serving/routing/index.ts';
import type { Ticket } from '../stages/admit.ts';

/** What a request waits for a place with. */
export function placeFor({ caller, call, plan }: Ticket): Omit<Waiting<Deployment>, 'granted' | 'refused'> {
  return {
    // One row for an organization and currency, on all threads.
    tenant: plan.wallet.slot,
    weight: caller.weight,
    cost: call.inputTokensGuess + 2 * plan.outputTokensHeld,
    targets: plan.targets,
  };
}
