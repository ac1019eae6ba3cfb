import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';

/** Hop-by-hop headers (RFC 9110 §7.6.1), and those that only we may set. */
const DROPPED = new Set([
  'connection',
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
const TIMEOUT_MS = 60_000;

export interface ControlProxy {
  forward(req: IncomingMessage, res: ServerResponse): void;
  close(): void;
}

/** Hands what is not `/v1/*` to the control plane on the main thread, over the socket for the public. */
export function createControlProxy(socketPath: string): ControlProxy {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    forward(req, res) {
      const headers: Record<string, string | string[]> = {};
      for (const [name, value] of Object.entries(req.headers))
        if (value !== undefined && !DROPPED.has(name)) headers[name] = value;
      headers['x-millrace-client-ip'] = req.socket.remoteAddress ?? '';
      const outgoing = request(
        { socketPath, agent, path: req.url ?? '/', method: req.method ?? 'GET', headers, timeout: TIMEOUT_MS },
        incoming => {
          const answer: Record<string, string | string[]> = {};
          for (const [name, value] of Object.entries(incoming.headers))
            if (value !== undefined && !DROPPED.has(name)) answer[name] = value;
          res.writeHead(incoming.statusCode ?? 502, answer);
          incoming.pipe(res);
          incoming.on('error', () => res.destroy());
        },
      );
      const fail = () => {
        if (res.headersSent) res.destroy();
        else
          res
            .writeHead(503, { 'retry-after': '2', 'content-type': 'application/json' })
            .end('{"error":{"code":"unavailable","message":"The control plane does not answer"}}');
      };
      outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
      outgoing.on('error', fail);
      res.on('close', () => outgoing.destroy());
      req.pipe(outgoing);
    },
    close: () => agent.destroy(),
  };
}
