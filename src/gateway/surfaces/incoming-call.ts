import { crashPoint } from '../../ground/std/index.ts';
import type { CatalogSnapshot } from '../../models/catalog/index.ts';
import type { Operation } from '../../models/dialects/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import type { HttpExchange } from '../server/index.ts';
import { admit, type Ticket } from '../stages/admit.ts';
import type { BodyRoom } from '../stages/body-room.ts';
import { type Entry, enter } from '../stages/enter.ts';
import { planCall } from '../stages/plan.ts';
import { BODY_BYTES_MAX, type IncomingBody, readBody } from '../stages/read-body.ts';
import { Shortfall } from '../stages/shortfall.ts';
import type { SharedAdmission } from '../threads/shared-admission.ts';
import { runExchange } from './exchange.ts';
import type { ExchangeDeps, Inbound } from './exchange-deps.ts';

export interface IncomingCallDeps extends ExchangeDeps {
  readonly snapshot: () => CatalogSnapshot;
  readonly room: BodyRoom;
  /** Where wallets and limits are shared with other nodes. */
  readonly sharing?: SharedAdmission | undefined;
}

export interface Incoming {
  readonly operation: Operation;
  readonly caller: CallerRecord;
  readonly http: HttpExchange;
  readonly inbound: Inbound;
  readonly refuse: (error: unknown) => void;
}

/** From who asks to a ticket: lets it in, reads its body, plans and admits it. What it has taken is given back however it ends. */
export function serveCall(deps: IncomingCallDeps, incoming: Incoming): void {
  new IncomingCall(deps, incoming).begin();
}

class IncomingCall {
  private readonly deps: IncomingCallDeps;
  private readonly incoming: Incoming;
  private entry: Entry | undefined = undefined;
  private body: IncomingBody | undefined = undefined;
  /** It is whole, but not let in yet. */
  private early: Buffer | undefined = undefined;

  constructor(deps: IncomingCallDeps, incoming: Incoming) {
    this.deps = deps;
    this.incoming = incoming;
  }

  /** Throws what is wrong with the head. */
  begin(): void {
    const { deps } = this;
    const { caller, http } = this.incoming;
    if (!deps.sharing) {
      this.entry = enter(caller, deps.slots, deps.clock.nowMs());
      this.contain(() => this.read());
      return;
    }
    // The other nodes are asked first, perhaps: so long the body waits in its socket, all but what came with its head.
    this.read();
    http.pauseBody();
    deps.sharing.enter(caller, {
      granted: entry => this.contain(() => this.letIn(entry)),
      refused: fault => this.refuse(fault),
    });
  }

  private read(): void {
    const { deps } = this;
    const { caller, http } = this.incoming;
    http.onGone(() => this.left());
    this.body = readBody(http, {
      ...{ bytesMax: BODY_BYTES_MAX, room: deps.room, slot: caller.slot },
      done: bytes => this.contain(() => this.take(bytes)),
      refuse: fault => this.refuse(fault),
    });
  }

  private letIn(entry: Entry): void {
    const { early } = this;
    const { http } = this.incoming;
    this.entry = entry;
    this.early = undefined;
    if (http.isGone) this.left();
    else if (early) this.take(early);
    else http.resumeBody();
  }

  private take(bytes: Buffer): void {
    const { deps, entry } = this;
    const { operation, caller, inbound } = this.incoming;
    if (!entry) {
      this.early = bytes;
      return;
    }
    crashPoint('gateway.body');
    const call = deps.codec.decodeRequest(operation, bytes);
    const nowMs = deps.clock.nowMs();
    const plan = planCall(call, caller, { snapshot: deps.snapshot(), slots: deps.slots.deployments, nowMs });
    if (!deps.sharing) {
      runExchange(deps, admit(entry, call, { plan, slots: deps.slots, nowMs }), inbound);
      return;
    }
    deps.sharing.admit(entry, call, {
      plan,
      granted: ticket => this.contain(() => this.admitted(ticket)),
      refused: fault => this.refuse(fault),
    });
  }

  /** The client may have left meanwhile. */
  private admitted(ticket: Ticket): void {
    const { deps } = this;
    const { http, inbound } = this.incoming;
    if (!http.isGone) {
      runExchange(deps, ticket, inbound);
      return;
    }
    ticket.hold.cancel();
    deps.slots.refusals.count('client_closed');
  }

  private left(): void {
    this.body?.drop();
    this.early = undefined;
    // While other nodes are asked, the answer is waited for: it may bring what is to be given back.
    if (!this.entry) return;
    this.entry.leave();
    this.deps.slots.refusals.count('client_closed');
  }

  private refuse(error: unknown): void {
    const { http, refuse } = this.incoming;
    this.body?.drop();
    if (error instanceof Shortfall) this.entry?.cancel();
    else this.entry?.leave();
    if (http.isGone) return;
    http.ignoreBody();
    http.resumeBody();
    refuse(error);
  }

  private contain(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.refuse(error);
    }
  }
}
