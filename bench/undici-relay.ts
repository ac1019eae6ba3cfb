// node bench/undici-relay.ts PORT UPSTREAM_ORIGIN [dispatch|upstreams]: the baseline of the benchmarks: node:http in, undici
// `dispatch` out, nothing else, one thread. `upstreams` puts src/serving/engines/http in the place of bare undici, so that one run
// of each shows what that layer costs.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { createEgress, systemClock } from '../src/ground/std/index.ts';
import type { Upstream } from '../src/models/catalog/index.ts';
import { createUpstreams } from '../src/serving/engines/index.ts';

const [port = '8010', origin = 'http://127.0.0.1:9000', way = 'dispatch'] = process.argv.slice(2);
type Send = (path: string, body: Buffer, res: ServerResponse) => void;

function bare(): Send {
  const pool = new Pool(origin, { connections: 16_384, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  return (path, body, res) =>
    void pool.dispatch(
      { path, method: 'POST', headers: { 'content-type': 'application/json' }, body },
      {
        onRequestStart() {},
        onResponseStart(_controller, status, headers) {
          res.writeHead(status, { 'content-type': String(headers['content-type']) });
        },
        onResponseData(_controller, chunk) {
          res.write(chunk);
        },
        onResponseEnd() {
          res.end();
        },
        onResponseError() {
          res.destroy();
        },
      },
    );
}

function wrapped(): Send {
  const upstreams = createUpstreams({ egress: createEgress({ clock: systemClock }), clock: systemClock });
  const upstream: Upstream = {
    providerId: 'mock',
    dialect: 'openai-chat',
    baseUrl: origin,
    allowPrivateNetwork: true,
    quirks: [],
  };
  const timeoutMs = { connect: 5_000, firstByte: 60_000, idle: 60_000, total: 600_000 };
  return (path, body, res) =>
    void upstreams.send(
      { upstream, path, body: body.toString(), timeoutMs },
      {
        onHeaders: (status, headers) =>
          void res.writeHead(status, { 'content-type': String(headers.get('content-type')) }),
        onData: chunk => void res.write(chunk),
        onEnd: () => void res.end(),
        onError: () => void res.destroy(),
      },
    );
}

const send = way === 'upstreams' ? wrapped() : bare();
const server = createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', chunk => chunks.push(chunk));
  req.on('end', () => {
    const [only] = chunks;
    send(req.url ?? '/', chunks.length === 1 && only ? only : Buffer.concat(chunks), res);
  });
});
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 8192 }, () => {
  const { port: listening } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port: listening, pid: process.pid, way })}\n`);
});
process.on('SIGTERM', () => process.exit(0));
// Where a launcher holds our other end: when it is gone, so are we.
process.on('disconnect', () => process.exit(0));
