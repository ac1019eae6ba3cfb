import type { Nano } from '@millrace/contract/words';
import { type Clock, Fault, type Slots, type Term, toFault } from '../../ground/std/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { admit, type Ticket } from '../stages/admit.ts';
import { type Entry, enter } from '../stages/enter.ts';
import type { Plan } from '../stages/plan.ts';
import { type Need, Shortfall } from '../stages/shortfall.ts';

/** Asks for more of what a key, or the wallet that pays for it, is short of on this node. Structured-cloneable. */
export interface SupplyRequest {
  readonly keySlot: number;
  readonly walletSlot: number;
  readonly need: Need;
}

export interface SupplyAnswer {
  /** Some came: it is worth another try. */
  readonly supplied: boolean;
  /** Where it is known when there will be some. */
  readonly retryAfterMs?: number;
  /** The database cannot be asked. */
  readonly isAway?: boolean;
}

export type Supply = (request: SupplyRequest, answered: (answer: SupplyAnswer) => void) => void;

/** A request waits at most so long for another node's share, or for the database. */
const WAIT_MS = 1_000;
/** Many who wait for little ask in turn; who asks as often as this will not get it. */
const TRIES_MAX = 40;

/** What is decided now or later: exactly one of the two is called, once. */
export interface Then<T> {
  readonly granted: (value: T) => void;
  readonly refused: (fault: Fault) => void;
}

/** Admission on a node that shares wallets and limits with others: what is not at hand is asked for, before it is refused. */
export interface SharedAdmission {
  enter(caller: CallerRecord, then: Then<Entry>): void;
  admit(entry: Entry, call: Call, then: Then<Ticket> & { readonly plan: Plan }): void;
  /** A stream will need so much more soon: it is asked for now, and nobody waits. */
  foresee(ticket: Ticket, nano: Nano): void;
}

export function createSharedAdmission({
  slots,
  term,
  clock,
  supply,
}: {
  readonly slots: Slots;
  readonly term: Term;
  readonly clock: Clock;
  readonly supply: Supply;
}): SharedAdmission {
  const tryOnce = <T>(take: () => T): T | Fault => {
    try {
      // What was leased is another's by now, perhaps.
      if (!term.holds()) throw new Shortfall('unavailable', AWAY, { what: 'money', nano: 0n });
      return take();
    } catch (error) {
      return toFault(error);
    }
  };
  const take = <T>(
    from: { readonly keySlot: number; readonly walletSlot: number; readonly taken: () => T },
    { granted, refused }: Then<T>,
  ) => {
    const { keySlot, walletSlot, taken } = from;
    const untilMs = clock.monotonicMs() + WAIT_MS;
    let tries = 0;
    const attempt = () => {
      const outcome = tryOnce(taken);
      if (!(outcome instanceof Fault)) return granted(outcome);
      if (!(outcome instanceof Shortfall) || ++tries > TRIES_MAX || clock.monotonicMs() >= untilMs)
        return refused(outcome);
      const { need } = outcome;
      // A database that hangs is one that is away.
      const answered = once(untilMs - clock.monotonicMs(), answer =>
        answer.supplied ? attempt() : refused(refusal(outcome, answer)),
      );
      supply({ keySlot, walletSlot, need }, answered);
    };
    attempt();
  };
  return {
    enter(caller, then) {
      const walletSlot = caller.wallets[0]?.slot ?? 0;
      take({ keySlot: caller.slot, walletSlot, taken: () => enter(caller, slots, clock.nowMs()) }, then);
    },
    admit(entry, call, { plan, ...then }) {
      const taken = (onlyWhole: boolean) => admit(entry, call, { plan, slots, nowMs: clock.nowMs(), onlyWhole });
      const refused = (fault: Fault) => {
        // What others had is here now: it may do for less of an answer that has no limit.
        const last =
          fault.code === 'insufficient_funds' && plan.smallerHolds.length > 0 ? tryOnce(() => taken(false)) : fault;
        if (last instanceof Fault) then.refused(fault);
        else then.granted(last);
      };
      take(
        { keySlot: entry.caller.slot, walletSlot: plan.wallet.slot, taken: () => taken(true) },
        { granted: then.granted, refused },
      );
    },
    foresee({ caller, plan }, nano) {
      supply({ keySlot: caller.slot, walletSlot: plan.wallet.slot, need: { what: 'money', nano } }, () => {});
    },
  };
}

/** The first answer, or that there was none in time. */
function once(withinMs: number, then: (answer: SupplyAnswer) => void): (answer: SupplyAnswer) => void {
  let open = true;
  const answered = (answer: SupplyAnswer) => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    then(answer);
  };
  const timer = setTimeout(() => answered({ supplied: false, isAway: true }), withinMs);
  return answered;
}

const AWAY = {
  message: 'This node cannot reach its database: what wallets hold is not known',
  messageZh: '本节点无法连接数据库，暂时无法确认钱包余额',
  retryAfterMs: 2_000,
} as const;

function refusal(fault: Fault, { retryAfterMs, isAway }: SupplyAnswer): Fault {
  if (isAway && fault.code !== 'rate_limited') return new Fault('unavailable', AWAY);
  if (retryAfterMs === undefined) return fault;
  return new Fault(fault.code, { ...fault.details, retryAfterMs });
}
