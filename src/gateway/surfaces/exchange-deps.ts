import type { Nano } from '@millrace/contract/words';
import type { JournalClient } from '../../ground/journal/index.ts';
import type { Clock, Fault, Log, Slots } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import type { Codec } from '../../models/dialects/index.ts';
import type { Upstreams } from '../../serving/engines/index.ts';
import type { PlaceQueue } from '../../serving/routing/index.ts';
import type { HttpResponse } from '../server/index.ts';
import type { Ticket } from '../stages/admit.ts';
import type { FailureNotes } from '../stages/failures.ts';
import type { Lang } from './respond.ts';
import type { Listed, Running } from './running.ts';

export interface ExchangeDeps {
  readonly slots: Slots;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: JournalClient;
  readonly upstreams: Upstreams;
  readonly queue: PlaceQueue<Deployment>;
  readonly failures: FailureNotes;
  readonly codec: Codec;
  /** Running exchanges of this thread: what a drain waits for, and cuts off at its deadline. */
  readonly running: Running<Exchange>;
  /** Where wallets are shared with other nodes. */
  readonly sharing?: { foresee(ticket: Ticket, nano: Nano): void } | undefined;
  readonly logRequests: boolean;
  /** A stream that says nothing for so long says that it lives. */
  readonly silenceMs: number;
}

export interface Inbound {
  readonly res: HttpResponse;
  readonly requestId: string;
  readonly lang: Lang;
  readonly arrivedMonotonicMs: number;
  /** How long the caller gives the request; undefined where it did not say. */
  readonly timeoutMs?: number | undefined;
}

export interface Exchange extends Listed {
  /** The node must stop: settles what was delivered and says so. */
  cutOff(fault: Fault): void;
}
