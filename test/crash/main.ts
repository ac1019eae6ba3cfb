// Kills the real server in every way there is, under load, starts it again, and holds the books against what clients and provider saw.
// `npm run test:crash` (200 rounds), `npm run test:crash -- --rounds 22 --seed 7`.
import { parseArgs } from 'node:util';
import { crashRounds } from './rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const report = await crashRounds({
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  scale: { streams: 500, pauseMs: 5_000, kills: 3 },
  say: line => process.stdout.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(report.failures.length === 0 ? 0 : 1);
