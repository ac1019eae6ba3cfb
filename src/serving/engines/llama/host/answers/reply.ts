import type { ServerResponse } from 'node:http';
import { FAULTS } from '@millrace/contract';
import { type Fault, formatSseEvent } from '../../../../../ground/std/index.ts';

const IGNORED_SHOWN_MAX = 16;

/** Answers in the OpenAI error shape; `message_zh` is ours, for clients that show it. */
export function faultBody(fault: Fault): string {
  const { openaiType } = FAULTS[fault.code];
  return JSON.stringify({
    error: {
      message: fault.message,
      message_zh: fault.messageIn('zh'),
      type: openaiType,
      code: fault.code,
      param: fault.details.param ?? null,
    },
  });
}

export function sendFault(response: ServerResponse, fault: Fault): void {
  const body = faultBody(fault);
  if (response.headersSent) {
    // Too late for a status: the stream says it, and ends without its mark of completeness; a whole answer is the error.
    if (response.writableEnded) return;
    const isStream = response.getHeader('content-type') === 'text/event-stream';
    response.end(isStream ? formatSseEvent({ data: body }) : body);
    return;
  }
  const retryAfterMs = fault.details.retryAfterMs;
  response.writeHead(fault.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
  });
  response.end(body);
}

/** Names the fields that had no effect: not an error, since clients send hints of all kinds, but not a secret either. */
export function noteIgnored(response: ServerResponse, names: readonly string[]): void {
  const shown = names.filter(name => /^[\w.-]{1,64}$/.test(name)).slice(0, IGNORED_SHOWN_MAX);
  if (shown.length > 0) response.setHeader('x-millrace-ignored', shown.join(', '));
}

export function sendJson(response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** A whole answer that may take long. */
export interface WholeAnswer {
  /** A token was made. Now and then it becomes a blank, which JSON does not mind: who waits can tell work from a hang. */
  alive(): void;
  send(value: unknown): void;
}

/** So often a long answer shows that it goes on; an answer that is there sooner has a length, and an error a status. */
const ALIVE_MS = 5_000;

export function openWholeAnswer(response: ServerResponse, nowMs: () => number): WholeAnswer {
  let saidMs = nowMs();
  return {
    alive() {
      const now = nowMs();
      if (now - saidMs < ALIVE_MS) return;
      saidMs = now;
      // On the response itself, so that a later error can read it.
      if (!response.headersSent) response.setHeader('content-type', 'application/json');
      response.write('\n');
    },
    send(value) {
      if (response.headersSent) response.end(JSON.stringify(value));
      else sendJson(response, value);
    },
  };
}

/** Events of one streamed answer. The head goes out with the first: until then an error still gets its status. */
export interface EventStream {
  send(value: unknown): void;
  /** The mark of completeness. */
  done(): void;
}

export function openEventStream(response: ServerResponse): EventStream {
  const write = (data: string) => {
    if (!response.headersSent)
      response.setHeader('content-type', 'text/event-stream').writeHead(200, { 'cache-control': 'no-store' });
    response.write(data);
  };
  return {
    // A chunk holds no line end outside of JSON strings, where it is escaped: no need to look for one.
    send: value => write(`data: ${JSON.stringify(value)}\n\n`),
    done() {
      write('data: [DONE]\n\n');
      response.end();
    },
  };
}
