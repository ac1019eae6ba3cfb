import { createSseReader, Fault, SSE_LINE_BYTES_MAX, type SseBatch, toFault } from '../../../ground/std/index.ts';
import type { Frame, JsonObject, Operation, StreamDecoder, StreamEvent } from '../codec.ts';
import { isObject, parseJson } from '../json.ts';
import { decodeErrorInside } from './fault-decode.ts';
import { RawParts } from './raw-parts.ts';
import { createChunkReader } from './stream-chunk.ts';
import { findError } from './upstream-error.ts';

export interface DecodeOptions {
  readonly model?: string;
  readonly lineBytesMax?: number;
}

/**
 * Reads the stream of one answer; chat and completions differ only in their choices, which say which they are. Raw bytes
 * are the delta, finish and foreign events and nothing else: usage, `[DONE]`, errors and comments are taken out, and an event
 * that carries usage beside a choice, another model's name or a vendor's price is written anew without it. Put together, raw
 * bytes are the same however the network cut the stream.
 */
export function createStreamDecoder(_operation: Operation, { model, lineBytesMax }: DecodeOptions): StreamDecoder {
  const bytesMax = lineBytesMax ?? SSE_LINE_BYTES_MAX;
  const reader = createSseReader({ lineBytesMax: bytesMax });
  const chunks = createChunkReader(model);
  /** Bytes that are no event stream but one JSON body, as vendors answer that refuse a stream with status 200. */
  const body = createBodyInstead(bytesMax);
  let failed: Fault | undefined;
  let anyEvent = false;
  let lastWasRaw = false;

  function frameOf(batch: SseBatch, closing: boolean): Frame {
    const events: StreamEvent[] = [];
    const raw = new RawParts(batch.bytes, closing);
    // The LF of a CRLF that the network cut through: it goes where its CR went.
    if (batch.leadingLf && lastWasRaw) raw.pass(0, 1);
    try {
      for (const { data, start, end } of batch.events) {
        const before = events.length;
        const passage = chunks.read(data, events);
        anyEvent ||= events.length > before && events[before]?.type !== 'foreign';
        lastWasRaw = passage === 'raw';
        if (passage === 'raw') raw.pass(start, end);
        else if (passage === 'changed') raw.write(sourceOf(events, before));
      }
      if (batch.overflow) throw new Fault('upstream_error', { internal: `an event is longer than ${bytesMax} bytes` });
      if (closing && !anyEvent) throw new Fault('upstream_error', { internal: 'the stream held no event' });
    } catch (error) {
      failed = toFault(error);
      // What was said before the fault is good, and was maybe paid for: it goes out first.
      if (events.length === 0) throw failed;
      events.push({ type: 'error', fault: failed });
    }
    const bytes = raw.bytes();
    return bytes === undefined ? { events } : { raw: bytes, events };
  }

  return {
    push(chunk) {
      if (failed) throw failed;
      return body.takes(chunk) ? NOTHING : frameOf(reader.push(chunk), false);
    },
    end() {
      if (failed) throw failed;
      const fault = body.fault();
      if (fault) throw fault;
      return frameOf(reader.end(), true);
    },
  };
}

const NOTHING: Frame = { events: [] };

/** The chunk of which the events from `from` on speak; a usage event's `source` is only a part of one. */
function sourceOf(events: readonly StreamEvent[], from: number): JsonObject {
  for (let at = from; at < events.length; at += 1) {
    const event = events[at];
    if (event?.type === 'delta' || event?.type === 'finish' || event?.type === 'foreign') return event.source;
  }
  return {};
}

const OPEN_BRACE = 0x7b;
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d]);

interface BodyInstead {
  /** Whether the stream turned out to be a JSON body, which then swallows the chunk. Throws where it grows too long. */
  takes(chunk: Uint8Array): boolean;
  /** What the body means; undefined where it was an event stream after all. */
  fault(): Fault | undefined;
}

/** No field of an event begins with a brace: a stream that does is a body. */
function createBodyInstead(bytesMax: number): BodyInstead {
  let state: 'unknown' | 'stream' | 'body' = 'unknown';
  let bytes = 0;
  const parts: Buffer[] = [];
  return {
    takes(chunk) {
      if (state === 'stream') return false;
      if (state === 'unknown') {
        const first = chunk.find(byte => !SPACES.has(byte));
        if (first === undefined) return false;
        state = first === OPEN_BRACE ? 'body' : 'stream';
        if (state === 'stream') return false;
      }
      bytes += chunk.length;
      if (bytes > bytesMax) throw new Fault('upstream_error', { internal: 'a long body in place of a stream' });
      parts.push(Buffer.from(chunk));
      return true;
    },
    fault() {
      if (state !== 'body') return undefined;
      const value = parseJson(Buffer.concat(parts).toString('utf8'));
      const error = isObject(value) ? findError(value) : undefined;
      if (error) return decodeErrorInside(error, 'answer');
      return new Fault('upstream_error', { internal: 'a body in place of a stream' });
    },
  };
}
