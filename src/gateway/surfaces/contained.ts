import { type Fault, type Log, toFault } from '../../ground/std/index.ts';

/**
 * One of many that run side by side on a thread. All that is called from outside (sockets, timers, the journal) goes through
 * `contain`: a throw is a mistake of ours, and ends this one and nothing else.
 */
export abstract class Contained {
  private readonly log: Log;
  private readonly id: string;

  constructor(log: Log, requestId: string) {
    this.log = log;
    this.id = requestId;
  }

  /** Ends it as far as it has come, and says so. */
  protected abstract endBy(fault: Fault): void;
  /** That threw as well: lets go of all it holds, without a word. */
  protected abstract abandon(): void;

  protected contain(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.crashed(error);
    }
  }

  protected crashed(error: unknown): void {
    try {
      this.endBy(this.noted(error));
    } catch (again) {
      this.noted(again);
      this.abandon();
    }
  }

  /** What was thrown, in the log. */
  protected noted(error: unknown): Fault {
    const fault = toFault(error);
    this.log.error('request-threw', { requestId: this.id, internal: fault.details.internal ?? fault.message });
    return fault;
  }
}
