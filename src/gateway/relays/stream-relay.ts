import type { Settlement } from '../../ground/journal/index.ts';
import { Fault } from '../../ground/std/index.ts';
import type { Frame, StreamDecoder, StreamEncoder, StreamEvent } from '../../models/dialects/index.ts';
import type { Verdict } from '../stages/coverage.ts';
import { costText, sendFault } from '../surfaces/respond.ts';
import type { EventStream } from './event-stream.ts';
import { type Relay, type RelayOptions, stampOf } from './relay.ts';

export interface StreamRelayOptions extends RelayOptions {
  readonly out: EventStream;
  readonly nowMs: number;
  /** Whether what the meter has seen by now may go out; asked before it does. */
  readonly covers: () => Verdict;
}

/** An answer that goes out event by event, as it comes. */
export class StreamRelay implements Relay {
  private readonly options: StreamRelayOptions;
  private encoder: StreamEncoder;
  private decoder: StreamDecoder | undefined = undefined;
  private begun = false;
  private choices = 0;
  private finished: Set<number> | undefined = undefined;
  private done = false;
  private verdict: Verdict = 'covered';

  constructor(options: StreamRelayOptions) {
    this.options = options;
    this.encoder = this.newEncoder();
  }

  committed(): boolean {
    return this.begun;
  }

  data(chunk: Buffer): boolean {
    this.decoder ??= this.newDecoder();
    return this.take(this.decoder.push(chunk));
  }

  stopped(): Verdict {
    return this.verdict;
  }

  ended(): boolean {
    return this.done;
  }

  end(): void {
    if (this.decoder) this.take(this.decoder.end());
    const finished = this.finished?.size ?? 0;
    // Without an end mark each choice that spoke must have finished.
    if (!this.done && (finished === 0 || finished < this.choices))
      throw new Fault('upstream_error', {
        message: 'The upstream ended the stream before the answer was complete',
        messageZh: '上游在回答完成前中断了流',
        internal: 'no finish and no end mark',
      });
  }

  finish(settlement: Settlement): void {
    const { call, out, meter } = this.options;
    const stamp = stampOf(settlement, meter);
    // Cut at the limit that the upstream did not keep: to the client an answer like any other that came to its limit.
    const cut = this.verdict === 'over-limit' ? this.unfinished() : [];
    const usage =
      cut.map(choice => this.encoder.cut(choice)).join('') + (call.wantsUsage ? this.encoder.usage(stamp) : '');
    // A comment, which every SSE client skips: the cost for those who did not ask for the usage chunk.
    out.end(`${usage}: x-millrace-cost ${costText(stamp.cost)}\n\n${this.encoder.done()}`);
  }

  fail(fault: Fault, settlement: Settlement | undefined): void {
    const { res, out, requestId, meter } = this.options;
    if (!res.headSent) {
      out.stop();
      sendFault(res, fault, this.options);
      return;
    }
    const cost = settlement ? `: x-millrace-cost ${costText(stampOf(settlement, meter).cost)}\n\n` : '';
    out.end(`${cost}${this.encoder.fault(fault, requestId)}`);
  }

  reset(): void {
    this.encoder = this.newEncoder();
    this.decoder = undefined;
    this.choices = 0;
    this.finished = undefined;
    this.done = false;
    this.verdict = 'covered';
  }

  private newEncoder(): StreamEncoder {
    const { codec, call, requestId, nowMs, lang } = this.options;
    return codec.encoder(call.operation, { model: call.model, requestId, createdS: Math.floor(nowMs / 1000), lang });
  }

  private newDecoder(): StreamDecoder {
    const { codec, call } = this.options;
    return codec.decoder(call.operation, { model: call.model });
  }

  private take({ raw, events }: Frame): boolean {
    if (this.verdict !== 'covered') return true;
    const { meter, call, covers } = this.options;
    meter.mark();
    meter.see(events);
    let fault: Fault | undefined;
    let says = false;
    let foreign = false;
    for (const event of events) {
      if (event.type === 'delta' || event.type === 'finish') says = true;
      else if (event.type === 'foreign') foreign = true;
      else if (event.type === 'error') fault = event.fault;
    }
    let flowing = true;
    if (says && covers() !== 'covered') flowing = this.takeInParts(events);
    else {
      this.note(events);
      if (says) {
        if (raw) this.encoder.observe(events);
        flowing = this.say(raw ?? this.encoder.encode(events));
      } else if (foreign && raw) {
        // No part of the answer: another target may still give it.
        flowing = this.options.out.write(raw);
      } else if (call.wantsUsage) this.encoder.observe(events);
    }
    if (fault && this.verdict === 'covered') throw fault;
    return flowing;
  }

  /** What is not covered whole goes out chunk by chunk, as far as it is: what was paid for is delivered, and nothing beyond. */
  private takeInParts(events: readonly StreamEvent[]): boolean {
    const { meter, covers } = this.options;
    meter.rewind();
    let flowing = true;
    for (let from = 0; from < events.length; ) {
      const part = events.slice(from, endOfChunk(events, from));
      meter.mark();
      meter.see(part);
      this.verdict = covers();
      if (this.verdict !== 'covered') {
        meter.rewind();
        const lost = events.slice(from);
        meter.lose(lost);
        // Of them the client hears at least that they are cut.
        for (const event of lost) this.seeChoice(event);
        break;
      }
      this.note(part);
      flowing = this.say(this.encoder.encode(part)) && flowing;
      from += part.length;
    }
    return flowing;
  }

  /** Which choices spoke and finished, and whether the end mark came, of what goes out. */
  private note(events: readonly StreamEvent[]): void {
    for (const event of events) {
      if (event.type === 'delta' || event.type === 'finish') {
        this.seeChoice(event);
        if (event.type === 'finish') this.finishChoice(event.choice);
      } else if (event.type === 'done') this.done = true;
    }
  }

  private seeChoice(event: StreamEvent): void {
    if ((event.type === 'delta' || event.type === 'finish') && event.choice >= this.choices)
      this.choices = event.choice + 1;
  }

  private unfinished(): readonly number[] {
    return Array.from({ length: this.choices }, (_, choice) => choice).filter(choice => !this.finished?.has(choice));
  }

  private finishChoice(choice: number): void {
    this.finished ??= new Set();
    this.finished.add(choice);
  }

  private say(events: Uint8Array | string): boolean {
    if (events.length === 0) return true;
    if (!this.begun) {
      this.begun = true;
      this.options.firstByte();
    }
    return this.options.out.write(events);
  }
}

/** Events of one chunk share their source. */
function endOfChunk(events: readonly StreamEvent[], from: number): number {
  const first = events[from];
  if (first?.type !== 'delta' && first?.type !== 'finish') return from + 1;
  let end = from + 1;
  for (; end < events.length; end += 1) {
    const event = events[end];
    if ((event?.type !== 'delta' && event?.type !== 'finish') || event.source !== first.source) break;
  }
  return end;
}
