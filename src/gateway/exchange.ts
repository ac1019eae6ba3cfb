import type { ServerResponse } from 'node:http';
import type { Nano } from '@millrace/contract';
import type { Deployment } from '../catalog/index.ts';
import type { Codec } from '../dialects/index.ts';
import type { UpstreamCall, Upstreams } from '../engines/index.ts';
import { type Attempt, ENTRY_KIND, type JournalClient, type Settlement, type Usage } from '../journal/index.ts';
import { rate } from '../metering/index.ts';
import { type Clock, crashPoint, Fault, type Log, type Slots, toFault } from '../std/index.ts';
import type { Ticket } from './admit.ts';
import { attempt } from './attempt.ts';
import { recordFailure, recordSuccess } from './circuit.ts';
import { createEventStream } from './event-stream.ts';
import { createMeter } from './meter.ts';
import type { Place, PlaceQueue } from './queue.ts';
import { createJsonRelay, createStreamRelay, type RelayOptions } from './relay.ts';
import { baseHeaders, type Lang } from './respond.ts';
import type { Listed, Running } from './running.ts';
import { attemptOf, type Ending, intentOf, settlementOf, totalTokens } from './settle.ts';

const ATTEMPTS_MAX = 3;
/** A stream whose client left is read on for the upstream's usage report at most this long. */
const DRAIN_MS = 30_000;
/** Vendors' ids have some forty characters; a header of 32 KB would be in the journal and the ledger for ever. */
const UPSTREAM_ID_LENGTH_MAX = 200;
/** A progress record each so many tokens, and no more than this often. */
const PROGRESS_TOKENS = 64;
/** A waiting stream hears of its place after this, and then this often. */
const WAIT_NEWS_MS = 1_000;
/** A hold that is used up grows by a quarter of what it covers, and at least so many tokens. */
const EXTENSION_TOKENS_MIN = 64;

export interface ExchangeDeps {
  readonly slots: Slots;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: JournalClient;
  readonly upstreams: Upstreams;
  readonly queue: PlaceQueue;
  readonly codec: Codec;
  /** Running exchanges of this thread: what a drain waits for, and cuts off at its deadline. */
  readonly running: Running<Exchange>;
  readonly logRequests: boolean;
}

export interface Inbound {
  readonly res: ServerResponse;
  readonly requestId: string;
  readonly lang: Lang;
  readonly arrivedMonotonicMs: number;
}

export interface Exchange extends Listed {
  /** The node must stop: settles what was delivered and says so. */
  cutOff(fault: Fault): void;
}

const NO_USAGE: Usage = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };

/** From ticket to settlement: waits for a place, makes the intent durable, tries the targets, relays, settles once. */
export function runExchange(deps: ExchangeDeps, ticket: Ticket, inbound: Inbound): void {
  const { slots, clock, journal, queue, codec } = deps;
  const { call, plan, hold } = ticket;
  const { res, requestId, lang } = inbound;
  const meter = createMeter();
  const attempts: Attempt[] = [];
  let phase: 'waiting' | 'intending' | 'running' | 'settling' | 'ended' = 'waiting';
  let place: Place | undefined;
  let news: NodeJS.Timeout | undefined;
  let deployment: Deployment | undefined;
  let upstream: UpstreamCall | undefined;
  /** Status that the upstream answered; 0 before it did. */
  let answered = 0;
  let upstreamRequestId: string | undefined;
  let clientGone = false;
  /** The client left before the first byte of the answer: it pays nothing, whatever comes of it still. */
  let unserved = false;
  /** The node stops, and the intent is not durable yet: the upstream is not asked any more. */
  let stopping: Fault | undefined;
  let drainTimer: NodeJS.Timeout | undefined;
  let ttftMs: number | undefined;
  let attemptStartedMs = 0;
  let coveredTokens = plan.outputTokensMax;
  let notedTokens = 0;
  let tried: readonly Deployment[] = [];

  const sinceArrivalMs = () => clock.monotonicMs() - inbound.arrivedMonotonicMs;
  const relayOptions: RelayOptions = {
    res,
    codec,
    call,
    meter,
    requestId,
    lang,
    headers: baseHeaders(requestId, ticket.limitHeaders),
    model: call.model,
    nowMs: clock.nowMs(),
    firstByte: () => {
      ttftMs ??= sinceArrivalMs();
    },
  };
  const stream = createEventStream(res, relayOptions.headers);
  const relay = call.stream
    ? createStreamRelay({ ...relayOptions, out: stream, upstreamModel: () => deployment?.upstreamModel ?? call.model })
    : createJsonRelay(relayOptions);

  const stopNews = () => {
    clearInterval(news);
    news = undefined;
  };
  const giveBackPlace = (durationMs: number | undefined) => {
    if (deployment) queue.giveBack(deployment, durationMs);
    deployment = undefined;
  };
  const endWithout = (fault: Fault) => {
    phase = 'ended';
    slots.refusals.count(fault.code);
    stopNews();
    hold.cancel();
    deps.running.delete(exchange);
    if (!clientGone) relay.fail(fault, undefined);
  };

  const closeAttempt = (outcome: Attempt['outcome'], status: number) => {
    if (!deployment) return;
    const { usage } =
      outcome === 'failed' && !relay.committed() ? { usage: NO_USAGE } : meter.result(call.inputTokensGuess);
    const durationMs = clock.monotonicMs() - attemptStartedMs;
    attempts.push(
      attemptOf({ deployment, status, outcome, usage, durationMs, upstreamRequestId }, attempts.length + 1, {
        currency: plan.wallet.currency,
        nowMs: clock.nowMs(),
      }),
    );
    giveBackPlace(outcome === 'ok' ? durationMs : undefined);
  };

  /** What the client was told in the end, by its answer or by `fault`; it pays where it got any of the answer. */
  const endingOf = (outcome: Ending['outcome'], fault?: Fault): Ending => {
    const served = !unserved && (fault === undefined || relay.committed());
    return {
      outcome,
      status: served ? 200 : unserved ? 0 : (fault?.status ?? 0),
      ...(fault ? { faultCode: fault.code } : {}),
      chargeable: served,
    };
  };

  /** The one place where a request is settled. `say` runs when the settlement is durable. */
  const settle = (ending: Ending, say: (settlement: Settlement) => void) => {
    if (phase === 'settling' || phase === 'ended') return;
    phase = 'settling';
    clearTimeout(drainTimer);
    const settlement = settlementOf(requestId, ticket, {
      ending,
      meter,
      attempts,
      timing: { startedAtMs: relayOptions.nowMs, ttftMs, durationMs: sinceArrivalMs() },
      nowMs: clock.nowMs(),
    });
    crashPoint('gateway.before-settle');
    journal.append([{ kind: ENTRY_KIND.settlement, value: settlement }], fault => {
      phase = 'ended';
      deps.running.delete(exchange);
      hold.settle(settlement.amountNano, totalTokens(settlement.usage));
      crashPoint('gateway.after-settle');
      // Not on disk, so not said to be complete: the intent stands, and recovery settles it.
      if (fault) relay.fail(fault, undefined);
      else if (!clientGone) say(settlement);
      if (deps.logRequests) logRequest(deps.log, ticket, settlement);
    });
  };

  const failed = (
    fault: Fault,
    { status, retryable, reached }: { status: number; retryable: boolean; reached: boolean },
  ) => {
    if (phase !== 'running') return;
    if (deployment) recordFailure(slots.deployments, deployment.slot, { fault, nowMs: clock.nowMs() });
    const committed = relay.committed();
    const last = deployment;
    closeAttempt('failed', status);
    if (retryable && !committed && !clientGone && attempts.length < ATTEMPTS_MAX) {
      const rest = plan.targets.filter(target => !tried.includes(target));
      // The only target gets a second try where the request never reached it.
      const next = queue.tryTake(rest.length > 0 ? rest : !reached && last && attempts.length < 2 ? [last] : []);
      if (next) {
        relay.reset();
        meter.reset();
        start(next);
        return;
      }
    }
    settle(endingOf(clientGone ? 'client-gone' : 'failed', fault), settlement => relay.fail(fault, settlement));
  };

  const cut = (fault: Fault, outcome: 'cut-off' | 'failed') => {
    upstream?.abort();
    closeAttempt('aborted', answered);
    settle(endingOf(outcome, fault), settlement => relay.fail(fault, settlement));
  };

  /** When more was generated than the hold covers, it grows; where it cannot, the stream ends here. */
  const keepCovered = () => {
    const sure = meter.outputSure();
    if (sure - notedTokens >= PROGRESS_TOKENS) note(sure);
    if (sure <= coveredTokens || phase !== 'running') return;
    const more = Math.max(EXTENSION_TOKENS_MIN, Math.ceil(coveredTokens / 4), sure - coveredTokens);
    if (hold.extend(outputNano(more))) coveredTokens += more;
    else
      cut(
        new Fault('insufficient_funds', {
          message: 'The money set aside for this answer is used up',
          messageZh: '为此回答预留的金额已用尽',
        }),
        'cut-off',
      );
  };
  const outputNano = (tokens: number): Nano => rate({ ...NO_USAGE, outputTokens: tokens }, plan.price).amountNano;
  const note = (sure: number) => {
    notedTokens = sure;
    if (!deployment || unserved) return;
    journal.note({
      kind: ENTRY_KIND.progress,
      value: {
        id: requestId,
        deploymentId: deployment.id,
        inputTokens: call.inputTokensGuess,
        outputTokens: meter.outputCounted(),
        holdNano: hold.nano(),
      },
    });
  };

  const guarded = (run: () => void) => {
    try {
      run();
    } catch (error) {
      upstream?.abort();
      const fault = toFault(error);
      failed(fault, { status: 200, retryable: fault.status >= 500, reached: true });
    }
  };

  /** The answer is whole: by its end mark, or where there is none by the end of the connection. */
  const complete = () => {
    if (phase !== 'running') return;
    if (!relay.ended()) relay.end();
    if (deployment) recordSuccess(slots.deployments, deployment.slot, ttftMs);
    closeAttempt('ok', 200);
    settle(endingOf(clientGone ? 'client-gone' : 'ok'), settlement => relay.finish(settlement));
  };

  const start = (target: Deployment) => {
    deployment = target;
    tried = [...tried, target];
    attemptStartedMs = clock.monotonicMs();
    answered = 0;
    upstreamRequestId = undefined;
    crashPoint('gateway.before-upstream');
    upstream = attempt(ticket, target, {
      upstreams: deps.upstreams,
      codec,
      sink: {
        started(status, headers) {
          answered = status;
          upstreamRequestId = headers['x-request-id']?.slice(0, UPSTREAM_ID_LENGTH_MAX);
        },
        data(chunk) {
          // After the end mark nothing is taken any more.
          if (phase !== 'running') return;
          guarded(() => {
            if (!relay.data(chunk) && !clientGone) holdBack();
            crashPoint('gateway.mid-stream');
            if (call.stream) keepCovered();
            if (relay.ended()) complete();
          });
        },
        ended: () => guarded(complete),
        failed: ({ fault, status, reached, retryable }) => failed(fault, { status, reached, retryable }),
      },
    });
  };

  /** The client reads slower than the upstream writes: the upstream waits, so that memory does not grow. */
  const holdBack = () => {
    upstream?.pause();
    res.once('drain', () => upstream?.resume());
  };

  const begin = (target: Deployment) => {
    stopNews();
    deployment = target;
    phase = 'intending';
    crashPoint('gateway.before-intent');
    journal.append([intentOf(requestId, ticket, { nowMs: clock.nowMs(), deployment: target })], fault => {
      crashPoint('gateway.after-intent');
      if (fault) {
        giveBackPlace(undefined);
        endWithout(fault);
        return;
      }
      phase = 'running';
      if (!clientGone && !stopping) {
        start(target);
        return;
      }
      giveBackPlace(undefined);
      settle(endingOf(clientGone ? 'client-gone' : 'failed', stopping), settlement => {
        if (stopping) relay.fail(stopping, settlement);
      });
    });
  };

  const tellPlace = () => {
    if (!place) return;
    const { position, etaMs } = place.report();
    stream.write(`: queue position=${position} eta_ms=${etaMs}\n\n`);
  };

  const exchange: Exchange = {
    runningAt: -1,
    cutOff(fault) {
      if (phase === 'waiting') {
        place?.cancel();
        endWithout(fault);
      } else if (phase === 'running') cut(fault, 'failed');
      else stopping = fault;
    },
  };

  res.once('close', () => {
    if (res.writableFinished || phase === 'ended' || phase === 'settling') {
      clientGone ||= !res.writableFinished;
      return;
    }
    clientGone = true;
    // Behind another answer on its connection, what was written has not gone out: its turn for the socket never came.
    unserved = !relay.committed() || res.socket === null;
    if (phase === 'waiting') {
      place?.cancel();
      endWithout(new Fault('client_closed'));
    } else if (phase === 'running') {
      if (deployment?.upstream.quirks.includes('drain-on-disconnect')) {
        upstream?.resume();
        drainTimer = setTimeout(() => leave(), DRAIN_MS);
      } else leave();
    }
  });
  const leave = () => {
    upstream?.abort();
    closeAttempt('aborted', answered);
    settle(endingOf('client-gone'), () => {});
  };

  deps.running.add(exchange);
  const free = queue.tryTake(plan.targets);
  if (free) {
    begin(free);
    return;
  }
  try {
    place = queue.wait({
      organizationId: ticket.caller.organizationId,
      weight: ticket.caller.weight,
      cost: call.inputTokensGuess + 2 * plan.outputTokensMax,
      targets: plan.targets,
      granted: begin,
      refused: endWithout,
    });
    if (call.stream) news = setInterval(tellPlace, WAIT_NEWS_MS);
  } catch (error) {
    endWithout(toFault(error));
  }
}

/** One wide event per request; numbers and names only. */
function logRequest(log: Log, { caller, call, plan }: Ticket, settlement: Settlement): void {
  log.info('request', {
    requestId: settlement.id,
    organization: caller.organizationId,
    project: caller.projectId,
    key: caller.keyId,
    operation: call.operation,
    model: plan.model.id,
    stream: call.stream,
    outcome: settlement.outcome,
    status: settlement.status,
    fault: settlement.faultCode,
    ...settlement.usage,
    usageSource: settlement.usageSource,
    amountNano: String(settlement.amountNano),
    currency: settlement.currency,
    attempts: settlement.attempts.length,
    deployment: settlement.attempts.at(-1)?.deploymentId,
    ttftMs: settlement.ttftMs,
    durationMs: settlement.durationMs,
  });
}
