import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { FIELD_LINE, fieldValue, type Log } from '../../ground/std/index.ts';
import type { HttpExchange, HttpResponse } from '../server/index.ts';
import { langOf } from './respond.ts';

/** Hop-by-hop headers (RFC 9110 §7.6.1), and those that only we may set. */
const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'expect',
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
const KEPT: ReadonlySet<string> = new Set(['authorization', 'content-length', 'content-type', 'cookie', 'host']);
/** Of an answer, the time is said by whoever says it. */
const DROPPED_BACK: ReadonlySet<string> = new Set([...DROPPED, 'date']);
const TIMEOUT_MS = 60_000;

export interface ControlProxy {
  forward(http: HttpExchange): void;
  close(): void;
}

/** Hands what is not `/v1/*` to the control plane on the main thread, over the socket for the public. */
export function createControlProxy(socketPath: string, log: Log): ControlProxy {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    forward(http) {
      const { target, method } = http.head;
      const headers = headersOf(http);
      const outgoing = request({ socketPath, agent, path: target, method, headers, timeout: TIMEOUT_MS }, incoming =>
        sendBack(incoming, http),
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
      outgoing.on('error', error => {
        if (http.isOver) return;
        log.warn('control-plane-silent', { method, path: target.slice(0, 128), error: error.message });
        if (http.headSent) http.destroy();
        else http.send(503, ['retry-after', '2', 'content-type', 'application/json'], silent(http));
      });
      http.onGone(() => outgoing.destroy());
      passBody(http, outgoing);
    },
    close: () => agent.destroy(),
  };
}

function silent(http: HttpExchange): string {
  const zh = langOf(http.head.acceptLanguage) === 'zh';
  const message = zh ? '控制面没有响应' : 'The control plane does not answer';
  return JSON.stringify({ error: { code: 'unavailable', message } });
}

/** Made anew from what was understood, never copied: what two readers could take for different requests ends here. */
function headersOf(http: HttpExchange): Record<string, string | string[]> {
  const { text, length } = http.head;
  const headers: Record<string, string | string[]> = {};
  const named = new Set<string>();
  for (const line of text.split('\r\n').slice(1)) {
    const [, token = '', value = ''] = FIELD_LINE.exec(line) ?? [];
    const name = token.toLowerCase();
    const said = fieldValue(value, 0, value.length);
    if (name === 'connection') for (const option of said.split(',')) named.add(option.trim().toLowerCase());
    // The one name that would not become a property.
    if (DROPPED.has(name) || name === '__proto__') continue;
    const before = headers[name];
    headers[name] = before === undefined ? said : [...(typeof before === 'string' ? [before] : before), said];
  }
  for (const name of named) if (!KEPT.has(name)) delete headers[name];
  if (length === 'chunked') headers['transfer-encoding'] = 'chunked';
  headers['x-millrace-client-ip'] = http.remoteAddress();
  return headers;
}

function passBody(http: HttpExchange, outgoing: ClientRequest): void {
  let isOpen = true;
  // It may have answered, and gone, before it heard all: the rest is read and thrown away.
  outgoing.once('close', () => {
    isOpen = false;
    http.resumeBody();
  });
  http.receive({
    onBody(content) {
      if (!isOpen || outgoing.write(content)) return;
      http.pauseBody();
      outgoing.once('drain', () => http.resumeBody());
    },
    onEnd: () => outgoing.end(),
  });
}

function sendBack(incoming: IncomingMessage, res: HttpResponse): void {
  const { statusCode = 502, rawHeaders } = incoming;
  const headers: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (!DROPPED_BACK.has(name.toLowerCase())) headers.push(name, rawHeaders[at + 1] ?? '');
  }
  res.begin(statusCode, headers);
  res.flush();
  incoming.on('data', (content: Buffer) => {
    if (res.write(content)) return;
    incoming.pause();
    res.onDrain(() => incoming.resume());
  });
  incoming.on('end', () => res.end());
  incoming.on('error', () => res.destroy());
}
