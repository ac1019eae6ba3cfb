// Tokens per second of an embedded engine over its socket, as JSON on stdout:
//   node bench/llama.ts
// Each stream asks for a fixed number of tokens (`ignore_eos`), so that streams last equally long.
import { cpus } from 'node:os';
import { startNano } from '../src/serving/engines/llama/engine-fixture.ts';

const TOKENS = 300;
const ROUNDS = 3;

await using nano = await startNano();

async function measure(streams: number, stream: boolean) {
  const run = async (seed: number) => {
    const startMs = performance.now();
    const body = {
      messages: [{ role: 'user', content: `Tell me a story. ${seed}` }],
      max_tokens: TOKENS,
      ignore_eos: true,
      temperature: 1,
      seed,
    };
    if (!stream) {
      await nano.post('/v1/chat/completions', body);
      return Number.NaN;
    }
    let firstMs = 0;
    for await (const _ of nano.stream('/v1/chat/completions', body))
      if (firstMs === 0) firstMs = performance.now() - startMs;
    return firstMs;
  };
  let best = 0;
  let firstMs: number[] = [];
  const decodes = await nano.metric('n_decode_total');
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    const seen = await Promise.all(Array.from({ length: streams }, (_, index) => run(round * 100 + index)));
    const perSecond = (streams * TOKENS * 1000) / (performance.now() - startMs);
    if (perSecond > best) [best, firstMs] = [perSecond, seen.toSorted((a, b) => a - b)];
  }
  const perDecode = (streams * TOKENS * ROUNDS) / ((await nano.metric('n_decode_total')) - decodes);
  const median = firstMs[firstMs.length >> 1] ?? Number.NaN;
  return {
    streams,
    stream,
    tokensPerSecond: Math.round(best),
    tokensPerDecode: Number(perDecode.toFixed(2)),
    ...(stream ? { firstTokenMs: Number(median.toFixed(1)) } : {}),
  };
}

await measure(1, true);
const [status] = nano.engines.status();
const results = [];
for (const [streams, stream] of [
  [1, true],
  [8, true],
  [16, true],
  [1, false],
  [8, false],
] as const)
  results.push(await measure(streams, stream));
const report = {
  model: status?.facts?.name,
  cpu: cpus()[0]?.model,
  node: process.version,
  startMs: status?.facts?.startMs,
  tuning: (await nano.get('/props')).json.tuning,
  results,
};
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
