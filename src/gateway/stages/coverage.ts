import type { Nano, RequestId } from '@millrace/contract/words';
import { ENTRY_KIND, type JournalClient } from '../../ground/journal/index.ts';
import { Fault } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import type { Ticket } from './admit.ts';
import type { Meter } from './meter.ts';
import { worstNano } from './worst-case.ts';

/** A progress record each so many tokens, and no more than this often. */
const PROGRESS_TOKENS = 64;
/** A hold that is used up grows by a quarter of what it covers, and at least so many tokens. */
const EXTENSION_TOKENS_MIN = 64;
/** An answer is beyond its limit when it surely has so many tokens more: one long word is a token. */
const BEYOND_LIMIT_TOKENS = 32;

/** `used-up`: the hold cannot grow any more. `over-limit`: the upstream goes on beyond what was asked. */
export type Verdict = 'covered' | 'used-up' | 'over-limit';

/** Keeps what a stream has generated within its hold, and on record. */
export class Coverage {
  private readonly ticket: Ticket;
  private readonly requestId: RequestId;
  private readonly meter: Meter;
  private readonly journal: JournalClient;
  private readonly foresee: ((ticket: Ticket, nano: Nano) => void) | undefined;
  private coveredTokens: number;
  private notedTokens = 0;

  constructor(
    ticket: Ticket,
    from: {
      readonly requestId: RequestId;
      readonly meter: Meter;
      readonly journal: JournalClient;
      /** Told, where wallets are shared with other nodes, of what the hold will grow by next. */
      readonly foresee?: ((ticket: Ticket, nano: Nano) => void) | undefined;
    },
  ) {
    this.ticket = ticket;
    this.requestId = from.requestId;
    this.meter = from.meter;
    this.journal = from.journal;
    this.foresee = from.foresee;
    this.coveredTokens = ticket.heldOutputTokens;
  }

  /**
   * After each frame was seen, and before it goes out. When more was generated than the hold covers, it grows; where it cannot, the
   * frame must not go out, and the stream must end. `deployment`: who generates it, for the record; undefined where nothing of it
   * will be charged.
   */
  keep(deployment: Deployment | undefined): Verdict {
    const { meter, ticket } = this;
    const tokens = meter.output();
    if (tokens > this.coveredTokens && !this.grow(tokens)) return 'used-up';
    const { outputTokensMax } = ticket.bounds;
    if (tokens >= outputTokensMax && meter.outputAtLeast() > outputTokensMax + BEYOND_LIMIT_TOKENS) return 'over-limit';
    if (tokens - this.notedTokens >= PROGRESS_TOKENS) {
      this.notedTokens = tokens;
      if (deployment) this.note(deployment, tokens);
    }
    return 'covered';
  }

  private grow(tokens: number): boolean {
    const { hold, bounds } = this.ticket;
    const wanted = this.wanted();
    const most = bounds.outputTokensMax - this.coveredTokens;
    const needed = tokens - this.coveredTokens;
    // The last of a wallet may not do for all that is wanted, and yet for what is there.
    for (const more of [Math.min(most, Math.max(wanted, needed)), needed]) {
      if (!hold.extend(this.priceOf(more))) continue;
      this.coveredTokens += more;
      if (this.foresee && this.coveredTokens < bounds.outputTokensMax)
        this.foresee(this.ticket, this.priceOf(this.wanted()));
      return true;
    }
    return false;
  }

  private wanted(): number {
    return Math.max(EXTENSION_TOKENS_MIN, Math.ceil(this.coveredTokens / 4));
  }

  /** Of so many more than are covered, at their dearest. */
  private priceOf(more: number): Nano {
    const { plan, bounds, stretch } = this.ticket;
    const worst = (outputTokensMax: number) => worstNano(plan.price, { ...bounds, outputTokensMax }, stretch);
    return worst(this.coveredTokens + more) - worst(this.coveredTokens);
  }

  private note(deployment: Deployment, outputTokens: number): void {
    this.journal.note({
      kind: ENTRY_KIND.progress,
      value: {
        id: this.requestId,
        deploymentId: deployment.id,
        inputTokens: this.ticket.bounds.inputTokensGuess,
        outputTokens,
        holdNano: this.ticket.hold.nano(),
      },
    });
  }
}

/** What a client is told when its answer ends for want of money. */
export function usedUp(): Fault {
  return new Fault('insufficient_funds', {
    message: 'The money set aside for this answer is used up',
    messageZh: '为此回答预留的金额已用尽',
  });
}
