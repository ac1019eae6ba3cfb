// Kills the real server with SIGKILL, at random times under load and at every named point, starts it again, and checks the books.
// `npm run test:crash` (200 rounds), `npm run test:crash -- --rounds 6` (short).
import { parseArgs } from 'node:util';
import { crashRounds, POINTS } from './rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const report = await crashRounds({
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  points: POINTS,
  say: line => process.stdout.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(report.failures.length === 0 ? 0 : 1);
