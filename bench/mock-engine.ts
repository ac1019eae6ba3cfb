// node bench/mock-engine.ts PORT TOKENS INTERVAL_US: an engine that speaks OpenAI and makes nothing, on one thread, on
// loopback. `"stream":true` → one chunk and one write per token, then usage and [DONE]; else one JSON answer. Interval 0: as
// fast as it can. A model named `…-TOKENSxINTERVALus` says both itself. It prints its address as JSON when it listens. Raw sockets and ready-made bytes, so that what a benchmark
// measures is the gateway.
import { type AddressInfo, createServer, type Socket } from 'node:net';

const [port = 9000, tokens = 64, intervalUs = 0] = process.argv.slice(2).map(Number);

/** Answers as bytes, ready before they are asked for: of one model, of one length. */
interface Script {
  readonly tokens: readonly Buffer[];
  readonly last: Buffer;
  readonly intervalUs: number;
}

const chunk = (data: string) => {
  const payload = `data: ${data}\n\n`;
  return `${Buffer.byteLength(payload).toString(16)}\r\n${payload}\r\n`;
};
const HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n',
);

function scriptOf(model: string): Script {
  const asked = /-(\d{1,5})x(\d{1,9})us$/.exec(model);
  const count = Number(asked?.[1] ?? tokens);
  const base = `{"id":"chatcmpl-bench0001","object":"chat.completion.chunk","created":1763900000,"model":"${model}","choices":`;
  const token = (index: number) =>
    Buffer.from(
      chunk(`${base}[{"index":0,"delta":{"content":" token${index}"},"logprobs":null,"finish_reason":null}]}`),
    );
  const finish = chunk(`${base}[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}`);
  const usage = chunk(
    `${base}[],"usage":{"prompt_tokens":23,"completion_tokens":${count},"total_tokens":${count + 23}}}`,
  );
  return {
    tokens: Array.from({ length: count }, (_, index) => token(index)),
    last: Buffer.from(`${finish}${usage}${chunk('[DONE]')}0\r\n\r\n`),
    intervalUs: Number(asked?.[2] ?? intervalUs),
  };
}

const scripts = new Map<string, Script>();

function scriptFor(body: Buffer): Script {
  const model = /"model":"([a-z0-9-]{1,64})"/.exec(body.toString('latin1'))?.[1] ?? 'mock-1';
  const known = scripts.get(model) ?? scriptOf(model);
  scripts.set(model, known);
  return known;
}

const text = 'The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog.';
const answer = `{"id":"chatcmpl-bench0001","object":"chat.completion","created":1763900000,"model":"mock-1","choices":[{"index":0,"message":{"role":"assistant","content":"${text}","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":23,"completion_tokens":21,"total_tokens":44}}`;
const JSON_ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`,
);
const STREAM_WANTED = Buffer.from('"stream":true');

interface Running {
  readonly socket: Socket;
  readonly done: () => void;
  readonly script: Script;
  sent: number;
  nextMs: number;
}

/** Streams under way; one timer serves them all. */
const running = new Set<Running>();
/** Of them, those that wait for nothing. */
let atOnce = 0;
let scheduled = false;

function schedule(): void {
  if (scheduled || running.size === 0) return;
  scheduled = true;
  if (atOnce > 0) setImmediate(round);
  else setTimeout(round, 1);
}

function round(): void {
  scheduled = false;
  const nowMs = performance.now();
  for (const stream of running) {
    if (stream.socket.destroyed) endStream(stream);
    else if (nowMs >= stream.nextMs && !stream.socket.writableNeedDrain) {
      stream.nextMs += stream.script.intervalUs / 1_000;
      const token = stream.script.tokens[stream.sent];
      stream.sent += 1;
      stream.socket.write(token ?? stream.script.last);
      if (!token) {
        endStream(stream);
        stream.done();
      }
    }
  }
  schedule();
}

function startStream(stream: Running): void {
  running.add(stream);
  if (stream.script.intervalUs === 0) atOnce += 1;
  schedule();
}

function endStream(stream: Running): void {
  running.delete(stream);
  if (stream.script.intervalUs === 0) atOnce -= 1;
}

function serve(socket: Socket): void {
  let held: Buffer | undefined;
  let busy = false;
  const next = () => {
    while (held && !busy) {
      const headEnd = held.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(held.toString('latin1', 0, headEnd))?.[1];
      const end = headEnd + 4 + Number(length ?? 0);
      if (held.length < end) return;
      const wanted = held.indexOf(STREAM_WANTED, headEnd);
      const streamed = wanted >= 0 && wanted < end;
      const body = held.subarray(headEnd + 4, end);
      held = held.length > end ? held.subarray(end) : undefined;
      if (streamed) {
        busy = true;
        socket.write(HEAD);
        const done = () => {
          busy = false;
          next();
        };
        const script = scriptFor(body);
        startStream({ socket, done, script, sent: 0, nextMs: performance.now() + script.intervalUs / 1_000 });
      } else socket.write(JSON_ANSWER);
    }
  };
  socket.on('data', data => {
    if (typeof data === 'string') return;
    held = held ? Buffer.concat([held, data]) : data;
    next();
  });
  socket.on('error', () => socket.destroy());
}

const server = createServer({ noDelay: true }, serve);
server.listen({ port, host: '127.0.0.1', backlog: 8192 }, () => {
  const { port: listening } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port: listening, baseUrl: `http://127.0.0.1:${listening}/v1` })}\n`);
});
process.on('SIGTERM', () => process.exit(0));
// Where a launcher holds our other end: when it is gone, so are we.
process.on('disconnect', () => process.exit(0));
