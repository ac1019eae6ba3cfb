// node bench/load.ts --url http://127.0.0.1:8080/v1/chat/completions [--connections 64] [--seconds 8 | --requests 1000]
//   [--stream] [--model mock-1] [--key mr_live_…] [--max-tokens 256] [--pad BYTES] [--pid PID] [--warm-seconds 1] [--samples]
// Loads one server on loopback over kept connections, one request at a time on each, and prints one line of JSON (see
// load-result.ts). After `--seconds` none is begun any more; those that run may end. With `--pid` it reads what that process
// used meanwhile, with `--samples` also its memory along the way. To hold N open streams at once: --stream --connections N
// --requests N.
import { parseArgs } from 'node:util';
import { cpuUsBetween } from './cpu-split.ts';
import { type Exchange, openConnection } from './load-connection.ts';
import type { LoadResult, MemorySample } from './load-result.ts';
import { type ProcessCost, processCost } from './process-cost.ts';

const SECONDS_MAX = 600;
const REQUESTS_MAX = 5_000_000;
const CONNECTIONS_MAX = 20_000;
/** Opened at most so many at once: a listener's backlog is short, and a dropped SYN costs a second. */
const OPEN_STEP = 200;
const OPEN_STEP_MS = 20;
/** For what runs when the time is up. */
const GRACE_MS = 10_000;
const SAMPLE_MS = 200;

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    connections: { type: 'string', default: '64' },
    seconds: { type: 'string' },
    requests: { type: 'string' },
    stream: { type: 'boolean', default: false },
    model: { type: 'string', default: 'mock-1' },
    key: { type: 'string', default: 'sk-bench-0123456789abcdef' },
    'max-tokens': { type: 'string', default: '256' },
    pad: { type: 'string', default: '0' },
    pid: { type: 'string' },
    'warm-seconds': { type: 'string', default: '0' },
    samples: { type: 'boolean', default: false },
  },
});
const url = new URL(values.url ?? 'http://127.0.0.1:8080/v1/chat/completions');
if (!/^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(url.hostname)) throw new Error('loads loopback addresses only');
const connections = Math.min(Number(values.connections), CONNECTIONS_MAX);
const requests = Math.min(Number(values.requests ?? REQUESTS_MAX), REQUESTS_MAX);
const seconds = Math.min(Number(values.seconds ?? (values.requests === undefined ? 8 : SECONDS_MAX)), SECONDS_MAX);

const body = JSON.stringify({
  model: values.model,
  stream: values.stream,
  ...(values.stream ? { stream_options: { include_usage: true } } : {}),
  max_tokens: Number(values['max-tokens']),
  messages: [
    { role: 'system', content: `You are a helpful assistant.${'x'.repeat(Number(values.pad))}` },
    { role: 'user', content: 'Say something about foxes please.' },
  ],
});
const request = Buffer.from(
  `POST ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\nAuthorization: Bearer ${values.key}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
);

const latencyMs: number[] = [];
const firstByteMs: number[] = [];
const seen = { requests: 0, errors: 0, non2xx: 0, events: 0, reads: 0, bytes: 0, open: 0, openMax: 0 };
let started = 0;
let counting = Number(values['warm-seconds']) === 0;
let stopping = false;
let before: ProcessCost | undefined;
let peakBytes = 0;
const samples: MemorySample[] = [];
let beginMs = 0;
let finished = false;

const begin = () => {
  counting = true;
  beginMs = performance.now();
  if (values.pid !== undefined) before = processCost(Number(values.pid));
};

const exchange: Exchange = {
  request,
  mayStart() {
    if (stopping || started >= requests) return false;
    started += 1;
    seen.open += 1;
    seen.openMax = Math.max(seen.openMax, seen.open);
    return true;
  },
  ended(result) {
    seen.open -= 1;
    if (!counting) {
      started -= 1;
      return;
    }
    if (!result.ok) seen.errors += 1;
    else {
      seen.requests += 1;
      if (result.status < 200 || result.status > 299) seen.non2xx += 1;
      latencyMs.push(result.totalMs);
      firstByteMs.push(result.firstByteMs);
    }
    seen.events += result.events;
    seen.reads += result.reads;
    seen.bytes += result.bytes;
  },
};

if (counting) begin();
else setTimeout(begin, Number(values['warm-seconds']) * 1_000);
const watch = setInterval(() => {
  const cost = values.pid === undefined ? undefined : processCost(Number(values.pid));
  if (!cost) return;
  peakBytes = Math.max(peakBytes, cost.residentBytes);
  if (values.samples)
    samples.push({
      atMs: Math.round(performance.now() - beginMs),
      open: seen.open,
      residentBytes: cost.residentBytes,
    });
}, SAMPLE_MS);
const endMs = (seconds + Number(values['warm-seconds'])) * 1_000;
const limits = [
  setTimeout(() => {
    stopping = true;
  }, endMs),
  setTimeout(finish, endMs + GRACE_MS),
];
const opened = [];
for (let at = 0; at < connections; at += 1) {
  opened.push(openConnection(Number(url.port || 80), url.hostname.replace(/^\[|\]$/g, ''), exchange));
  if (at % OPEN_STEP === OPEN_STEP - 1) await new Promise(resolve => setTimeout(resolve, OPEN_STEP_MS));
}
await Promise.all(opened.map(connection => connection.done));
finish();

function finish(): void {
  if (finished) return;
  finished = true;
  const elapsed = (performance.now() - beginMs) / 1_000;
  const after = values.pid === undefined ? undefined : processCost(Number(values.pid));
  clearInterval(watch);
  for (const limit of limits) clearTimeout(limit);
  const cpuUs = before && after ? cpuUsBetween(before, after) : undefined;
  const result: LoadResult = {
    url: url.href,
    stream: values.stream,
    connections,
    seconds: round(elapsed),
    requests: seen.requests,
    requestsPerSecond: round(seen.requests / elapsed),
    errors: seen.errors,
    non2xx: seen.non2xx,
    cutOff: seen.open,
    latencyMs: percentiles(latencyMs),
    firstByteMs: percentiles(firstByteMs),
    events: seen.events,
    eventsPerSecond: round(seen.events / elapsed),
    reads: seen.reads,
    bytes: seen.bytes,
    openMax: seen.openMax,
    ...(cpuUs === undefined || !before || !after
      ? {}
      : {
          cost: {
            before,
            after,
            cpuUs,
            cpuUsPerRequest: round(cpuUs / Math.max(1, seen.requests)),
            cpuUsPerEvent: round(cpuUs / Math.max(1, seen.events)),
            residentBytesPeak: peakBytes,
          },
        }),
    ...(values.samples ? { samples } : {}),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

function percentiles(samples: number[]) {
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

// Where a launcher holds our other end: when it is gone, so are we.
process.on('disconnect', () => process.exit(1));
