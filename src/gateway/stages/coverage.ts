import type { RequestId } from '@millrace/contract/words';
import { ENTRY_KIND, type JournalClient, NO_USAGE } from '../../ground/journal/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import { rate } from '../../money/pricing/index.ts';
import type { Ticket } from './admit.ts';
import type { Meter } from './meter.ts';

/** A progress record each so many tokens, and no more than this often. */
const PROGRESS_TOKENS = 64;
/** A hold that is used up grows by a quarter of what it covers, and at least so many tokens. */
const EXTENSION_TOKENS_MIN = 64;

/** Keeps what a stream has generated within its hold, and on record. */
export class Coverage {
  private readonly ticket: Ticket;
  private readonly requestId: RequestId;
  private readonly meter: Meter;
  private readonly journal: JournalClient;
  private coveredTokens: number;
  private notedTokens = 0;

  constructor(
    ticket: Ticket,
    from: { readonly requestId: RequestId; readonly meter: Meter; readonly journal: JournalClient },
  ) {
    this.ticket = ticket;
    this.requestId = from.requestId;
    this.meter = from.meter;
    this.journal = from.journal;
    this.coveredTokens = ticket.plan.outputTokensMax;
  }

  /**
   * After each frame. When more was generated than the hold covers, it grows; false where it cannot, and the stream must end.
   * `deployment`: who generates it, for the record; undefined where nothing of it will be charged.
   */
  keep(deployment: Deployment | undefined): boolean {
    const sure = this.meter.outputSure();
    if (sure - this.notedTokens >= PROGRESS_TOKENS) {
      this.notedTokens = sure;
      if (deployment) this.note(deployment);
    }
    if (sure <= this.coveredTokens) return true;
    const { hold, plan } = this.ticket;
    const more = Math.max(EXTENSION_TOKENS_MIN, Math.ceil(this.coveredTokens / 4), sure - this.coveredTokens);
    if (!hold.extend(rate({ ...NO_USAGE, outputTokens: more }, plan.price).amountNano)) return false;
    this.coveredTokens += more;
    return true;
  }

  private note(deployment: Deployment): void {
    this.journal.note({
      kind: ENTRY_KIND.progress,
      value: {
        id: this.requestId,
        deploymentId: deployment.id,
        inputTokens: this.ticket.call.inputTokensGuess,
        outputTokens: this.meter.outputCounted(),
        holdNano: this.ticket.hold.nano(),
      },
    });
  }
}
