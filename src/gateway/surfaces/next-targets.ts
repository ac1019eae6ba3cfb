import type { Deployment } from '../../models/catalog/index.ts';
import type { Ticket } from '../stages/admit.ts';
import type { Waiting } from '../stages/queue.ts';

const ATTEMPTS_MAX = 3;

/** Who may be tried next, after `tried`. `unreached`: the last one, where the request never reached it: the only target gets a second try then. */
export function nextTargets(
  targets: readonly Deployment[],
  { tried, unreached }: { readonly tried: readonly Deployment[]; readonly unreached: Deployment | undefined },
): readonly Deployment[] {
  if (tried.length >= ATTEMPTS_MAX) return [];
  const rest = targets.filter(target => !tried.includes(target));
  return rest.length > 0 || !unreached || tried.length >= 2 ? rest : [unreached];
}

/** What a request waits for a place with. */
export function placeFor({ caller, call, plan }: Ticket): Omit<Waiting, 'granted' | 'refused'> {
  return {
    organizationId: caller.organizationId,
    weight: caller.weight,
    cost: call.inputTokensGuess + 2 * plan.outputTokensHeld,
    targets: plan.targets,
  };
}
