import { FAULTS, type FaultCode, type FaultOwner, type FaultRetry } from '@millrace/contract/words';

/** Of one request, all told. */
const ATTEMPTS_MAX = 3;

/**
 * Whether another target may do better. What the caller did wrong stays wrong elsewhere, by the table of faults. After a timeout
 * the first target may still be at work, and bill: a second try would cost the same again, and take as long.
 */
export function mayTryElsewhere(
  code: FaultCode,
  { reached, retriesTimeouts }: { readonly reached: boolean; readonly retriesTimeouts: boolean },
): boolean {
  const { owner, retry }: { readonly owner: FaultOwner; readonly retry: FaultRetry } = FAULTS[code];
  if (owner === 'caller' || owner === 'config' || retry === 'never') return false;
  return code !== 'upstream_timeout' || !reached || retriesTimeouts;
}

/**
 * Whether a fault tells of a target's health. "Busy" does not, nor do the caller's mistakes and our own; that it could not be
 * reached does.
 */
export function tellsOfHealth(code: FaultCode): boolean {
  return FAULTS[code].owner === 'upstream' || code === 'unavailable';
}

/** Who may be tried next. `unreached`: the last one, where the request never reached it: the only target gets a second try then. */
export function nextTargets<T>(
  targets: readonly T[],
  { tried, unreached }: { readonly tried: readonly T[]; readonly unreached: T | undefined },
): readonly T[] {
  if (tried.length >= ATTEMPTS_MAX) return [];
  const rest = targets.filter(target => !tried.includes(target));
  return rest.length > 0 || unreached === undefined || tried.length >= 2 ? rest : [unreached];
}
