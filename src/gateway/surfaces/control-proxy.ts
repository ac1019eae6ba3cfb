import { Agent, type IncomingMessage, request } from 'node:http';
import { crashPoint, type Fault, type Log, toFault } from '../../ground/std/index.ts';
import type { HttpExchange, HttpResponse } from '../server/index.ts';
import type { BodyRoom } from '../stages/body-room.ts';
import { readBody } from '../stages/read-body.ts';
import type { ClientAddress } from './client-address.ts';
import { fieldsOf } from './field-values.ts';
import { langOf } from './respond.ts';

/** Hop-by-hop headers (RFC 9110 §7.6.1), and those that only we may set. */
const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-millrace-client-ip',
]);
/** A client cannot say of these that they are meant for us alone: they tell what the request is. */
const KEPT: ReadonlySet<string> = new Set(['authorization', 'content-type', 'cookie']);
/** Of an answer, the time is said by whoever says it. */
const DROPPED_BACK: ReadonlySet<string> = new Set([
  ...[...DROPPED].filter(name => name !== 'content-length' && name !== 'host'),
  'date',
]);
const TIMEOUT_MS = 60_000;
/** Largest body: a configuration of ten thousand objects passes. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;
/** Who watches the node asks here, and must not stand behind others who ask for much. */
const WATCHED: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

type Guard = (step: () => void) => void;

export interface ControlProxy {
  forward(http: HttpExchange): void;
  close(): void;
}

/**
 * Hands what is not `/v1/*` to the control plane on the main thread, over the socket for the public: when a request is whole, so
 * that a connection there is never held by a client that sends slowly, or not at all.
 */
export function createControlProxy(
  socketPath: string,
  { log, room, clientAddress }: { readonly log: Log; readonly room: BodyRoom; readonly clientAddress: ClientAddress },
): ControlProxy {
  const agents = {
    watched: new Agent({ keepAlive: true, maxSockets: 16 }),
    others: new Agent({ keepAlive: true, maxSockets: 64 }),
  };
  const send = (http: HttpExchange, body: Buffer) => {
    // Called by sockets of the control plane: a throw there would end no connection of ours.
    const guard: Guard = step => {
      try {
        step();
      } catch (error) {
        const { message, details } = toFault(error);
        log.error('connection-threw', { internal: details.internal ?? message });
        outgoing.destroy();
        http.destroy();
      }
    };
    const { target, method } = http.head;
    const agent = WATCHED.has(target.split('?', 1)[0] ?? '') ? agents.watched : agents.others;
    const outgoing = request(
      {
        socketPath,
        agent,
        path: target,
        method,
        headers: headersOf(http, body.length, clientAddress(http)),
        timeout: TIMEOUT_MS,
      },
      incoming => guard(() => sendBack(incoming, http, guard)),
    );

    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
    outgoing.on('error', error => {
      if (http.isOver || http.isGone) return;
      log.warn('control-plane-silent', { method, path: target.slice(0, 128), error: error.message });
      if (http.headSent) http.destroy();
      else http.send(503, ['retry-after', '2', 'content-type', 'application/json'], silent(http));
    });
    http.onGone(() => outgoing.destroy());
    outgoing.end(body);
  };
  return {
    forward(http) {
      crashPoint('gateway.forward');
      const refuse = (fault: Fault) => sendRefusal(http, fault);
      try {
        const done = (body: Buffer) => send(http, body);
        const body = readBody(http, { bytesMax: BODY_BYTES_MAX, room, slot: undefined, done, refuse });
        if (!http.isWhole) http.onGone(() => body.drop());
      } catch (error) {
        refuse(toFault(error));
      }
    },
    close() {
      agents.watched.destroy();
      agents.others.destroy();
    },
  };
}

function silent(http: HttpExchange): string {
  const zh = langOf(http.head.acceptLanguage) === 'zh';
  const message = zh ? '控制面没有响应' : 'The control plane does not answer';
  return JSON.stringify({ error: { code: 'unavailable', message } });
}

/** As the control plane would have said it. */
function sendRefusal(http: HttpExchange, fault: Fault): void {
  const message = fault.messageIn(langOf(http.head.acceptLanguage));
  const wait = fault.details.retryAfterMs;
  const headers = wait === undefined ? [] : ['retry-after', String(Math.ceil(wait / 1000))];
  const body = JSON.stringify({ error: { code: fault.code, message, param: null } });
  http.send(fault.status, [...headers, 'content-type', 'application/json'], body);
}

/** Names and values in turn. Made anew from what was understood, never copied: what two readers could take for different requests ends here. */
function headersOf(http: HttpExchange, bodyBytes: number, address: string): string[] {
  const { head } = http;
  const fields = fieldsOf(head);
  const named = new Set<string>();
  for (const [name, value] of fields)
    if (name === 'connection') for (const option of value.split(',')) named.add(option.trim().toLowerCase());
  // HTTP/1.0, as load balancers ask for health, may have no host.
  const headers = ['host', head.host ?? 'localhost'];
  for (const [name, value] of fields)
    if (!DROPPED.has(name) && (KEPT.has(name) || !named.has(name))) headers.push(name, value);
  // Whatever the method: a body without its length would be taken for the next request.
  if (head.length !== 0 || bodyBytes > 0) headers.push('content-length', String(bodyBytes));
  headers.push('x-millrace-client-ip', address);
  return headers;
}

function sendBack(incoming: IncomingMessage, res: HttpResponse, guard: Guard): void {
  crashPoint('gateway.control-answer');
  const { statusCode = 502, rawHeaders } = incoming;
  const headers: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (!DROPPED_BACK.has(name.toLowerCase())) headers.push(name, rawHeaders[at + 1] ?? '');
  }
  res.begin(statusCode, headers);
  res.flush();
  incoming.on('data', (content: Buffer) =>
    guard(() => {
      if (res.write(content)) return;
      incoming.pause();
      res.onDrain(() => incoming.resume());
    }),
  );
  incoming.on('end', () => guard(() => res.end()));
  incoming.on('error', () => res.destroy());
}
