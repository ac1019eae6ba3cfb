import type { ServerResponse } from 'node:http';
import { formatAmount } from '@millrace/contract';
import type { Answer, Call, Codec, StreamEvent, UsageStamp } from '../dialects/index.ts';
import type { Settlement } from '../journal/index.ts';
import { Fault } from '../std/index.ts';
import type { EventStream } from './event-stream.ts';
import type { Meter } from './meter.ts';
import { costText, type Lang, sendFault, sendJson } from './respond.ts';

/** A whole answer is held in memory until it is settled: bounded. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Carries one answer from the upstream to the client, metering it on the way. Pushed: synchronous per network chunk. */
export interface Relay {
  /** True once a byte of the answer went to the client: from here on there is no other target. */
  committed(): boolean;
  /** Takes a chunk of the upstream. Throws the Fault that ends the attempt. Returns false when the client reads too slowly. */
  data(chunk: Buffer): boolean;
  /** True once the upstream said its end mark: the answer is whole, whatever becomes of the connection. */
  ended(): boolean;
  /** The upstream's answer is whole. Throws the Fault when it is not. */
  end(): void;
  /** Says the end of a settled answer. */
  finish(settlement: Settlement): void;
  /** Says that it failed: as an error answer, or, where the answer had begun, as an error event. */
  fail(fault: Fault, settlement: Settlement | undefined): void;
  /** The bytes that were buffered for another attempt are dropped. */
  reset(): void;
}

export interface RelayOptions {
  readonly res: ServerResponse;
  readonly codec: Codec;
  readonly call: Call;
  readonly meter: Meter;
  readonly requestId: string;
  readonly lang: Lang;
  /** Flat header list of the answer. */
  readonly headers: readonly string[];
  /** Model id as the client knows it, and as the upstream writes it. */
  readonly model: string;
  readonly nowMs: number;
  readonly firstByte: () => void;
}

function stampOf(settlement: Settlement): UsageStamp {
  return {
    usage: settlement.usage,
    cost: { currency: settlement.currency, amount: formatAmount(settlement.amountNano) },
  };
}

export function createJsonRelay(options: RelayOptions): Relay {
  const { res, codec, call, meter, headers, model } = options;
  let chunks: Buffer[] = [];
  let bytes = 0;
  let answer: Answer | undefined;
  return {
    committed: () => false,
    data(chunk) {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX)
        throw new Fault('upstream_error', { internal: `answer beyond ${ANSWER_BYTES_MAX} bytes` });
      chunks.push(chunk);
      return true;
    },
    ended: () => false,
    end() {
      const [only] = chunks;
      answer = codec.decodeResponse(call.operation, chunks.length === 1 && only ? only : Buffer.concat(chunks));
      if (answer.usage) meter.seeUsage(answer.usage);
      else meter.seeText(answer.text);
    },
    finish(settlement) {
      if (!answer) return;
      options.firstByte();
      sendJson(res, 200, {
        body: codec.encodeResponse(answer, { ...stampOf(settlement), model }),
        headers: [...headers, 'x-millrace-cost', costText(settlement)],
      });
    },
    fail: fault => sendFault(res, fault, options),
    reset() {
      chunks = [];
      bytes = 0;
      answer = undefined;
    },
  };
}

export function createStreamRelay(
  options: RelayOptions & { readonly out: EventStream; readonly upstreamModel: () => string },
): Relay {
  const { res, out, codec, call, meter, requestId, lang, model, nowMs } = options;
  const newEncoder = () =>
    codec.encoder(call.operation, { model, requestId, createdS: Math.floor(nowMs / 1000), lang });
  const newDecoder = () => {
    const from = options.upstreamModel();
    return codec.decoder(call.operation, { rename: from === model ? undefined : { from, to: model } });
  };
  let encoder = newEncoder();
  let decoder: ReturnType<Codec['decoder']> | undefined;
  let committed = false;
  let choices = 0;
  let finished = new Set<number>();
  let ended = false;

  const take = (frame: { readonly raw?: Uint8Array; readonly events: readonly StreamEvent[] }): boolean => {
    const { raw, events } = frame;
    meter.see(events);
    let fault: Fault | undefined;
    let says = false;
    for (const event of events) {
      if (event.type === 'delta' || event.type === 'finish') {
        says = true;
        if (event.choice >= choices) choices = event.choice + 1;
        if (event.type === 'finish') finished.add(event.choice);
      } else if (event.type === 'done') ended = true;
      else if (event.type === 'error') fault = event.fault;
    }
    let flowing = true;
    if (says) {
      if (raw) encoder.observe(events);
      const said = raw ?? encoder.encode(events);
      if (said.length > 0) {
        if (!committed) {
          committed = true;
          options.firstByte();
        }
        flowing = out.write(said);
      }
    } else if (call.wantsUsage) encoder.observe(events);
    if (fault) throw fault;
    return flowing;
  };

  return {
    committed: () => committed,
    data(chunk) {
      decoder ??= newDecoder();
      return take(decoder.push(chunk));
    },
    ended: () => ended,
    end() {
      if (decoder) take(decoder.end());
      // Without an end mark each choice that spoke must have finished.
      if (!ended && (finished.size === 0 || finished.size < choices))
        throw new Fault('upstream_error', {
          message: 'The upstream ended the stream before the answer was complete',
          messageZh: '上游在回答完成前中断了流',
          internal: 'no finish and no end mark',
        });
    },
    finish(settlement) {
      const usage = call.wantsUsage ? encoder.usage(stampOf(settlement)) : '';
      // A comment, which every SSE client skips: the cost for those who did not ask for the usage chunk.
      out.end(`${usage}: x-millrace-cost ${costText(settlement)}\n\n${encoder.done()}`);
    },
    fail(fault, settlement) {
      if (!res.headersSent) {
        sendFault(res, fault, options);
        return;
      }
      const cost = settlement ? `: x-millrace-cost ${costText(settlement)}\n\n` : '';
      out.end(`${cost}${encoder.fault(fault, requestId)}`);
    },
    reset() {
      encoder = newEncoder();
      decoder = undefined;
      choices = 0;
      finished = new Set();
      ended = false;
    },
  };
}
