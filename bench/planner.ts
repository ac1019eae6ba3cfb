// What the planner claims: a full fleet answer in 50 ms, a study of 1,000 scenarios in 2 s, on one core.
// Run: node bench/planner.ts. Prints JSON; exits 1 when a claim does not hold.
import { parse } from 'yaml';
import { answer, parseScenario, SCENARIOS, study } from '../src/money/planner/index.ts';

const ANSWER_MS_MAX = 50;
const STUDY_MS_MAX = 2000;
const ROUNDS = 9;

/** First call, cold, and the median of the following ones. */
function timed(run: () => unknown): { readonly firstMs: number; readonly medianMs: number } {
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  const later = times.slice(1).sort((a, b) => a - b);
  const round = (value: number) => Math.round(value * 100) / 100;
  return { firstMs: round(times[0] ?? 0), medianMs: round(later[Math.floor(later.length / 2)] ?? 0) };
}

const rows = SCENARIOS.map(({ id, yaml }) => {
  const scenario = parseScenario(parse(yaml), () => undefined);
  return { scenario: id, answer: timed(() => answer(scenario)), study1000: timed(() => study(scenario, 1000, 1)) };
});
const ok = rows.every(row => row.answer.medianMs <= ANSWER_MS_MAX && row.study1000.medianMs <= STUDY_MS_MAX);
process.stdout.write(
  `${JSON.stringify({ bench: 'planner', node: process.version, answerMsMax: ANSWER_MS_MAX, studyMsMax: STUDY_MS_MAX, ok, rows }, null, 2)}\n`,
);
process.exitCode = ok ? 0 : 1;
