import { type Attempt, ENTRY_KIND, type Settlement } from '../../ground/journal/index.ts';
import { crashPoint, Fault, toFault } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import type { ReportedUsage } from '../../models/dialects/index.ts';
import { nextTargets, type Place, recordAnswering } from '../../serving/routing/index.ts';
import { createEventStream, type EventStream } from '../relays/event-stream.ts';
import { JsonRelay } from '../relays/json-relay.ts';
import type { Relay } from '../relays/relay.ts';
import { StreamRelay } from '../relays/stream-relay.ts';
import type { Ticket } from '../stages/admit.ts';
import { type AttemptFailure, AttemptRun, type AttemptSink } from '../stages/attempt.ts';
import { countingOf, recordAnswer } from '../stages/counting.ts';
import { Coverage, usedUp } from '../stages/coverage.ts';
import { Meter } from '../stages/meter.ts';
import { type Ending, endingOf, intentOf, settlementOf, totalTokens } from '../stages/settle.ts';
import { Contained } from './contained.ts';
import type { Exchange, ExchangeDeps, Inbound } from './exchange-deps.ts';
import { logRequest } from './log-request.ts';
import { noteFailure } from './note-failure.ts';
import { placeFor } from './place-for.ts';
import { baseHeaders } from './respond.ts';
import { WaitNews } from './wait-news.ts';

/** A stream whose client left is read on for the upstream's usage report at most this long. */
const DRAIN_MS = 30_000;

/** From ticket to settlement: waits for a place, makes the intent durable, tries the targets, relays, settles once. */
export function runExchange(deps: ExchangeDeps, ticket: Ticket, inbound: Inbound): void {
  let exchange: RequestExchange;
  try {
    exchange = new RequestExchange(deps, ticket, inbound);
  } catch (error) {
    ticket.hold.cancel();
    throw error;
  }
  exchange.open();
}

type Phase = 'waiting' | 'intending' | 'running' | 'settling' | 'ended';

/** One request. An object with methods, not a nest of closures: those were some fifty objects a request, these are eight. */
class RequestExchange extends Contained implements Exchange, AttemptSink {
  runningAt = -1;
  private readonly deps: ExchangeDeps;
  private readonly ticket: Ticket;
  private readonly inbound: Inbound;
  private readonly meter: Meter;
  private readonly relay: Relay;
  /** Of a streaming answer. */
  private readonly stream: EventStream | undefined;
  private readonly coverage: Coverage;
  private readonly startedAtMs: number;
  private readonly headers: string[];
  private phase: Phase = 'waiting';
  private place: Place | undefined = undefined;
  private news: WaitNews | undefined = undefined;
  private readonly attempts: Attempt[] = [];
  private tried: readonly Deployment[] = [];
  /** Whose place is held. */
  private deployment: Deployment | undefined = undefined;
  private run: AttemptRun | undefined = undefined;
  private intentAtMs = 0;
  private intentMonotonicMs = 0;
  private ttftMs: number | undefined = undefined;
  private clientGone = false;
  /** The client left before the first byte of the answer: it pays nothing, whatever comes of it still. */
  private unserved = false;
  /** The node stops, and the intent is not durable yet: the upstream is not asked any more. */
  private stopping: Fault | undefined = undefined;
  private drainTimer: NodeJS.Timeout | undefined = undefined;

  constructor(deps: ExchangeDeps, ticket: Ticket, inbound: Inbound) {
    super(deps.log, inbound.requestId);
    this.deps = deps;
    this.ticket = ticket;
    this.inbound = inbound;
    this.startedAtMs = deps.clock.nowMs();
    const { codec, journal, silenceMs } = deps;
    this.meter = new Meter(ticket.bounds);
    this.coverage = new Coverage(ticket, {
      ...{ requestId: inbound.requestId, meter: this.meter, journal },
      foresee: deps.sharing?.foresee,
    });
    this.headers = baseHeaders(inbound.requestId, ticket.limitHeaders);
    const options = {
      ...{ ...inbound, codec, call: ticket.call, meter: this.meter, headers: this.headers },
      firstByte: () => {
        this.ttftMs ??= this.sinceArrivalMs();
      },
    };
    this.stream = ticket.call.stream
      ? createEventStream(options.res, { headers: this.headers, silenceMs, contain: step => this.contain(step) })
      : undefined;
    this.relay = this.stream
      ? new StreamRelay({
          ...options,
          out: this.stream,
          nowMs: this.startedAtMs,
          covers: () => this.coverage.keep(this.unserved ? undefined : this.deployment),
        })
      : new JsonRelay(options);
  }

  open(): void {
    this.inbound.res.onGone(() => this.contain(() => this.clientClosed()));
    this.deps.running.add(this);
    this.contain(() => {
      const free = this.deps.queue.tryTake(this.ticket.plan.targets);
      if (free) this.begin(free);
      else this.wait();
    });
  }

  cutOff(fault: Fault): void {
    this.contain(() => {
      if (this.phase === 'waiting') {
        this.place?.cancel();
        this.endWithout(fault);
      } else if (this.phase === 'running') this.cut(fault, 'failed');
      else this.stopping = fault;
    });
  }

  protected endBy(fault: Fault): void {
    if (this.phase === 'running') {
      this.run?.abort();
      this.closeAttempt('failed');
      // Where it threw before it was tried.
      this.giveBackPlace(undefined);
      this.settle(this.endingOf('failed', fault), settlement => this.relay.fail(fault, settlement));
    } else if (this.phase === 'waiting' || this.phase === 'intending') {
      this.place?.cancel();
      this.giveBackPlace(undefined);
      this.endWithout(fault);
    } else this.abandon();
  }

  /** The intent stands for recovery, and its money stays held until then; what was settled stays settled. Its places are free again. */
  protected abandon(): void {
    const { hold } = this.ticket;
    this.phase = 'ended';
    this.news?.stop();
    this.stream?.stop();
    clearTimeout(this.drainTimer);
    this.run?.abort();
    this.deps.running.delete(this);
    hold.settle(hold.nano(), 0);
    this.giveBackPlace(undefined);
    this.inbound.res.destroy();
  }

  // A place, and the intent.

  private wait(): void {
    try {
      this.place = this.deps.queue.wait({
        ...placeFor(this.ticket),
        granted: target => this.contain(() => this.begin(target)),
        refused: fault => this.contain(() => this.endWithout(fault)),
      });
      if (this.stream) this.news = new WaitNews(this.stream, this.place, tell => this.contain(tell));
    } catch (error) {
      this.endWithout(toFault(error));
    }
  }

  private begin(target: Deployment): void {
    this.news?.stop();
    this.deployment = target;
    this.phase = 'intending';
    crashPoint('gateway.before-intent');
    const { clock } = this.deps;
    this.intentAtMs = clock.nowMs();
    this.intentMonotonicMs = clock.monotonicMs();
    const intent = intentOf(this.inbound.requestId, this.ticket, { nowMs: this.intentAtMs, deployment: target });
    this.deps.journal.append([intent], fault => this.contain(() => this.onIntent(target, fault)));
  }

  private onIntent(target: Deployment, fault: Fault | undefined): void {
    if (!fault) this.phase = 'running'; // From here on money is promised: whatever happens, it is settled.
    crashPoint('gateway.after-intent');
    const { stopping } = this;
    if (!fault && !this.clientGone && !stopping) {
      this.start(target);
      return;
    }
    this.giveBackPlace(undefined);
    if (fault) this.endWithout(fault);
    else
      this.settle(this.endingOf(this.clientGone ? 'client-gone' : 'failed', stopping), settlement => {
        if (stopping) this.relay.fail(stopping, settlement);
      });
  }

  /** Nothing was promised: it ends without a settlement. */
  private endWithout(fault: Fault): void {
    this.phase = 'ended';
    this.deps.slots.refusals.count(fault.code);
    this.news?.stop();
    this.ticket.hold.cancel();
    this.deps.running.delete(this);
    if (!this.clientGone) this.relay.fail(fault, undefined);
  }

  // Attempts.

  private start(target: Deployment): void {
    const { clock, upstreams, codec } = this.deps;
    const { timeoutMs } = this.inbound;
    this.deployment = target;
    this.meter.begin(countingOf(target, this.deps.slots.deployments));
    this.tried = [...this.tried, target];
    crashPoint('gateway.before-upstream');
    this.run = new AttemptRun(this.ticket, target, {
      ...{ clock, upstreams, codec, sink: this, number: this.attempts.length + 1 },
      spentMs: clock.monotonicMs() - this.intentMonotonicMs,
      leftMs: timeoutMs === undefined ? undefined : timeoutMs - this.sinceArrivalMs(),
    });
  }

  started(notes: readonly string[]): void {
    crashPoint('gateway.upstream-head');
    if (this.deployment) recordAnswering(this.deployment, this.deps.slots.deployments);
    this.headers.push(...notes);
    if (!this.clientGone) this.stream?.accept();
  }

  data(chunk: Buffer): void {
    // After the end mark nothing is taken any more.
    if (this.phase !== 'running') return;
    try {
      if (!this.relay.data(chunk) && !this.clientGone) this.holdBack();
      crashPoint('gateway.mid-stream');
      if (this.relay.stopped() !== 'covered') this.stop();
      if (this.relay.ended()) this.complete();
    } catch (error) {
      this.broken(error);
    }
  }

  ended(): void {
    try {
      this.complete();
    } catch (error) {
      this.broken(error);
    }
  }

  failed(failure: AttemptFailure): void {
    this.contain(() => this.tryAgain({ ...failure, fault: this.run?.hideKey(failure.fault) ?? failure.fault }));
  }

  private tryAgain({ fault, retryable, reached, usage }: AttemptFailure): void {
    if (this.phase !== 'running') return;
    const last = this.deployment;
    const { run, ticket } = this;
    if (run) noteFailure(this.deps, run, { requestId: this.inbound.requestId, call: ticket.call, fault });
    const mayTryAgain = retryable && !this.relay.committed() && !this.clientGone;
    this.closeAttempt('failed', usage);
    const from = { tried: this.tried, unreached: reached ? undefined : last };
    const next = mayTryAgain ? this.deps.queue.tryTake(nextTargets(ticket.plan.targets, from)) : undefined;
    if (next) {
      this.relay.reset();
      this.start(next);
      return;
    }
    const ending = this.endingOf(this.clientGone ? 'client-gone' : 'failed', fault);
    this.settle(ending, settlement => this.relay.fail(fault, settlement));
  }

  /** What the upstream sent is not what it should be. */
  private broken(error: unknown): void {
    if (this.phase !== 'running') return void this.crashed(error);
    this.run?.abort();
    const fault = error instanceof Fault ? error : this.noted(error);
    this.failed({ fault, retryable: this.run?.isRetryable(fault, true) ?? false, reached: true });
  }

  /** The answer is whole: by its end mark, or where there is none by the end of the connection. */
  private complete(): void {
    if (this.phase !== 'running') return;
    crashPoint('gateway.complete');
    if (!this.relay.ended()) this.relay.end();
    if (this.relay.stopped() !== 'covered') this.stop();
    else {
      recordAnswer(this.meter, this.deployment, { slots: this.deps.slots.deployments, ttftMs: this.ttftMs });
      this.conclude('ok');
    }
  }

  private conclude(outcome: Attempt['outcome']): void {
    this.closeAttempt(outcome);
    this.settle(this.endingOf(this.clientGone ? 'client-gone' : 'ok'), settlement => this.relay.finish(settlement));
  }

  private cut(fault: Fault, outcome: 'cut-off' | 'failed'): void {
    this.closeAttempt('aborted');
    this.settle(this.endingOf(outcome, fault), settlement => this.relay.fail(fault, settlement));
  }

  /** `reported`: what the upstream said that it used, beside the answer. */
  private closeAttempt(outcome: Attempt['outcome'], reported?: ReportedUsage): void {
    const { run, meter, intentAtMs } = this;
    if (outcome === 'aborted') run?.abort();
    if (!run || !this.deployment) return;
    if (reported) meter.seeUsage(reported);
    const cost = meter.cost(outcome === 'failed' && !this.relay.committed());
    this.attempts.push(
      run.record(outcome, { ...cost, currency: this.ticket.plan.wallet.currency, costAtMs: intentAtMs }),
    );
    this.giveBackPlace(outcome === 'ok' ? run.durationMs() : undefined);
  }

  private giveBackPlace(durationMs: number | undefined): void {
    if (this.deployment) this.deps.queue.giveBack(this.deployment, durationMs);
    this.deployment = undefined;
  }

  /** The client reads slower than the upstream writes: the upstream waits, so that memory does not grow. */
  private holdBack(): void {
    this.run?.pause();
    this.inbound.res.onDrain(() => this.run?.resume());
  }

  /** The upstream goes on, and nothing of it may go out any more. */
  private stop(): void {
    if (this.phase !== 'running') return;
    if (this.relay.stopped() === 'used-up') this.cut(usedUp(), 'cut-off');
    else this.conclude('aborted');
  }

  // The end.

  private clientClosed(): void {
    this.clientGone = true;
    this.stream?.stop();
    if (this.phase === 'ended' || this.phase === 'settling') return;
    // Behind another answer on its connection, what was written has not gone out: its turn for the socket never came.
    this.unserved = !this.relay.committed() || !this.inbound.res.hasTurn();
    if (this.phase === 'waiting') {
      this.place?.cancel();
      this.endWithout(new Fault('client_closed'));
    } else if (this.phase === 'running') {
      if (this.deployment?.upstream.quirks.includes('drain-on-disconnect')) {
        this.run?.resume();
        this.drainTimer = setTimeout(() => this.contain(() => this.leave()), DRAIN_MS);
      } else this.leave();
    }
  }

  private leave(): void {
    this.closeAttempt('aborted');
    this.settle(this.endingOf('client-gone'), () => {});
  }

  private endingOf(outcome: Ending['outcome'], fault?: Fault): Ending {
    return endingOf(outcome, { fault, unserved: this.unserved, committed: this.relay.committed() });
  }

  /** The one place where a request is settled. `say` runs when the settlement is durable. */
  private settle(ending: Ending, say: (settlement: Settlement) => void): void {
    if (this.phase === 'settling' || this.phase === 'ended') return;
    this.phase = 'settling';
    clearTimeout(this.drainTimer);
    const { ticket, meter, attempts, ttftMs, startedAtMs, intentAtMs } = this;
    const settlement = settlementOf(this.inbound.requestId, ticket, {
      ending,
      meter,
      attempts,
      timing: { startedAtMs, ttftMs, durationMs: this.sinceArrivalMs() },
      intentAtMs,
      nowMs: this.deps.clock.nowMs(),
    });
    crashPoint('gateway.before-settle');
    this.deps.journal.append([{ kind: ENTRY_KIND.settlement, value: settlement }], fault =>
      this.contain(() => {
        this.phase = 'ended';
        this.deps.running.delete(this);
        ticket.hold.settle(settlement.amountNano, totalTokens(settlement.usage));
        crashPoint('gateway.after-settle');
        // Not on disk, so not said to be complete: the intent stands, and recovery settles it.
        if (fault) this.relay.fail(fault, undefined);
        else if (!this.clientGone) say(settlement);
        if (this.deps.logRequests) logRequest(this.deps.log, ticket, settlement);
      }),
    );
  }

  private sinceArrivalMs(): number {
    return this.deps.clock.monotonicMs() - this.inbound.arrivedMonotonicMs;
  }
}
