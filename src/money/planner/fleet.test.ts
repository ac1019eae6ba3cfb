import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { shippedScenario } from './cases/load.ts';
import { interactivityCurve } from './curve.ts';
import { planFleet, profitPerDay } from './fleet.ts';
import { parseScenario } from './parse-scenario.ts';
import type { Scenario } from './scenario.ts';
import { breakEvens, study, tornado } from './sensitivity.ts';

const IDS = ['deepseek-day', 'r1-100b', 'qwen3-32b-h20'] as const;
const SCENARIOS: ReadonlyMap<string, Scenario> = new Map(IDS.map(id => [id, shippedScenario(id)]));
const scenarioOf = (id: string): Scenario => SCENARIOS.get(id) ?? shippedScenario(id);
const anyScenario = fc.constantFrom(...IDS).map(scenarioOf);
const share = fc.double({ min: 0, max: 1, noNaN: true });

test('whole units: nodes come in multiples of 22 for DeepSeek, and hourly rent is below peak rent', () => {
  const base = scenarioOf('r1-100b');
  const peak = planFleet(base);
  for (const hour of peak.hours)
    assert.ok(
      Number.isInteger(hour.decodeUnits) &&
        Number.isInteger(hour.prefillUnits) &&
        hour.nodes === hour.decodeUnits * 18 + hour.prefillUnits * 4,
    );
  const hourly = planFleet({ ...base, serving: { ...base.serving, scaling: 'hourly' } });
  assert.ok(hourly.costDay.nano < peak.costDay.nano);
  assert.equal(hourly.revenueDay.nano, peak.revenueDay.nano);
});

test('latency: percentiles rise, and a pool at its limit has none', () => {
  const { ttftSeconds } = planFleet(scenarioOf('r1-100b'));
  assert.ok(ttftSeconds.p50 <= ttftSeconds.p90 && ttftSeconds.p90 <= ttftSeconds.p99 && ttftSeconds.p50 > 0.05);
  assert.equal(planFleet(scenarioOf('deepseek-day')).ttftSeconds.p50, Number.POSITIVE_INFINITY);
  const base = scenarioOf('qwen3-32b-h20');
  const tight = {
    ...base,
    serving: { ...base.serving, utilisation: 0.99, availability: 1 },
    demand: { ...base.demand, outputPerSecond: 8000, arrivalVariation: 4, lengthVariation: 4 },
  };
  assert.ok(planFleet(tight).ttftSeconds.p99 > planFleet(tight).ttftSeconds.p50);
});

test('break-even of every variable is where profit turns', () => {
  for (const id of IDS) {
    for (const { variable, value, factor } of breakEvens(scenarioOf(id))) {
      if (factor === undefined) continue;
      // Step functions of whole units: the sign differs just below and just above.
      const [below, above] = [1 - 1e-7, 1 + 1e-7].map(nudge =>
        profitPerDay(variable.scale(scenarioOf(id), factor * nudge)),
      );
      assert.ok((below ?? 0) * (above ?? 0) <= 0, `${id} ${variable.id}: ${below} and ${above} around ${value}`);
    }
  }
});

test("DeepSeek's day breaks even at the inverse of its margin", () => {
  const found = breakEvens(scenarioOf('deepseek-day'));
  const value = (id: string) => found.find(entry => entry.variable.id === id)?.value ?? 0;
  assert.ok(Math.abs(value('gpuPrice') - 12.905) < 0.01);
  assert.ok(Math.abs(value('utilisation') - 1 / 6.4524) < 0.001);
});

test('a tornado is sorted by width; a study is reproducible and its percentiles are ordered', () => {
  const bars = tornado(scenarioOf('r1-100b')).map(bar => Math.abs((bar.high ?? 0) - (bar.low ?? 0)));
  assert.deepEqual(
    bars,
    [...bars].sort((a, b) => b - a),
  );
  const one = study(scenarioOf('qwen3-32b-h20'), 200, 7);
  assert.deepEqual(study(scenarioOf('qwen3-32b-h20'), 200, 7), one);
  assert.ok(one.p5 < one.p50 && one.p50 < one.p95 && one.lossShare > 0 && one.lossShare < 1);
  assert.notDeepEqual(study(scenarioOf('qwen3-32b-h20'), 200, 8).profits, one.profits);
});

test('the curve trades speed for cost, inside its band', () => {
  for (const id of IDS) {
    const curve = interactivityCurve(scenarioOf(id));
    assert.ok(curve.length > 8);
    for (const [index, point] of curve.entries()) {
      assert.ok(point.low < point.costPerMtok && point.costPerMtok < point.high);
      const next = curve[index + 1];
      if (next)
        assert.ok(
          next.tokensPerSecondPerUser < point.tokensPerSecondPerUser && next.costPerMtok < point.costPerMtok,
          `${id} ${index}`,
        );
    }
  }
});

test('property: more price never means less revenue', () => {
  fc.assert(
    fc.property(
      anyScenario,
      fc.double({ min: 0, max: 20, noNaN: true }),
      fc.double({ min: 0, max: 20, noNaN: true }),
      (scenario, a, b) => {
        const at = (priceFactor: number) => planFleet({ ...scenario, priceFactor }).revenueDay.nano;
        assert.ok(at(Math.max(a, b)) >= at(Math.min(a, b)));
      },
    ),
    { numRuns: 60 },
  );
});

test('property: more cache hits never cost more, nor earn more per token', () => {
  fc.assert(
    fc.property(anyScenario, share, share, (scenario, a, b) => {
      const at = (cachedShare: number) => planFleet({ ...scenario, demand: { ...scenario.demand, cachedShare } });
      const [few, many] = [at(Math.min(a, b)), at(Math.max(a, b))];
      assert.ok(many.costDay.nano <= few.costDay.nano);
      assert.ok(many.revenueDay.nano <= few.revenueDay.nano);
    }),
    { numRuns: 60 },
  );
});

test('property: more demand never needs fewer nodes; less utilisation neither', () => {
  fc.assert(
    fc.property(
      anyScenario,
      fc.double({ min: 0.01, max: 10, noNaN: true }),
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      (scenario, factor, utilisation) => {
        const at = (outputPerSecond: number, used: number) =>
          planFleet({
            ...scenario,
            demand: { ...scenario.demand, outputPerSecond },
            serving: { ...scenario.serving, utilisation: used },
          }).nodesRented;
        const demand = scenario.demand.outputPerSecond;
        assert.ok(at(demand * factor * 1.1, utilisation) >= at(demand * factor, utilisation));
        assert.ok(at(demand, utilisation * 0.9) >= at(demand, utilisation));
      },
    ),
    { numRuns: 60 },
  );
});

const BASE = {
  model: 'qwen3-8b',
  hardware: 'h20',
  demand: { output: '1 Gtok/day' },
  price: { output: '2 CNY/Mtok' },
  cost: { gpu: '9 CNY/h' },
};
const refused: readonly [string, Record<string, unknown>, RegExp][] = [
  ['a misspelt field', { demnad: {} }, /demnad: unknown field; known here are name, model/],
  ['a misspelt inner field', { demand: { output: '1 Gtok/day', chached: '5 %' } }, /demand\.chached: unknown field/],
  ['an unknown model', { model: 'gpt-9' }, /model: unknown model "gpt-9"; known are deepseek-v3/],
  [
    'users without their activity',
    { demand: { users: '50 Muser' } },
    /demand\.activity: is missing; write the share of users/,
  ],
  [
    'demand said twice',
    { demand: { users: '1 user', activity: '1 %', output: '1 tok/s' } },
    /contradicts demand\.output/,
  ],
  [
    'a price per day',
    { price: { output: '16 CNY/day' } },
    /price\.output: "16 CNY\/day" is money per time; write a price per tokens/,
  ],
  [
    'two currencies without a rate',
    { cost: { gpu: '2 USD/h' } },
    /exchange: USD cannot be compared with CNY; give a rate such as "7\.2 CNY\/USD"/,
  ],
  ['two currencies in one price', { price: { output: '2 CNY/Mtok', miss: '1 USD/Mtok' } }, /price\.miss: is in USD/],
  [
    'a model that does not fit',
    { model: 'llama-3.1-70b', precision: { weights: 'bf16' } },
    /does not fit NVIDIA H20 96 GB at tp 1.*raise tp, ep or pp/,
  ],
  ['a speed no hardware gives', { serving: { interactivity: '9000 tok/s' } }, /below the wanted 9000 tok\/s/],
  [
    'a profile of 23 hours',
    { demand: { output: '1 tok/s', profile: Array.from({ length: 23 }, () => 1) } },
    /has 23 hours; write 24 numbers/,
  ],
  [
    'a negative hour',
    { demand: { output: '1 tok/s', profile: [-1, ...Array.from({ length: 23 }, () => 1)] } },
    /profile\[0\]: -1 is out of range/,
  ],
  ['no price', { price: undefined }, /price: is missing/],
  ['utilisation of zero', { serving: { utilisation: '0 %' } }, /serving\.utilisation: 0 is out of range/],
  ['a weekday for a date', { price: { output: '2 CNY/Mtok', date: 'Monday' } }, /price\.date: "Monday" is no date/],
];
for (const [name, change, message] of refused)
  test(`refuses ${name}`, () =>
    assert.throws(() => planFleet(parseScenario({ ...BASE, ...change }, () => undefined)), message));

test('a peak stretches the profile to it and keeps the mean', () => {
  const { profile } = parseScenario(
    { ...BASE, demand: { output: '1 Gtok/day', profile: 'consumer-cn', peak: 1.226 } },
    () => undefined,
  ).demand;
  assert.ok(Math.abs(Math.max(...profile) - 1.226) < 1e-9);
  assert.ok(Math.abs(profile.reduce((sum, hour) => sum + hour, 0) - 24) < 1e-9);
  assert.throws(
    () => parseScenario({ ...BASE, demand: { output: '1 Gtok/day', peak: 2 } }, () => undefined),
    /demand\.peak: needs a profile that varies/,
  );
});

test('own hardware is planned with; its band is wide', () => {
  const hardware = {
    name: 'mine',
    bf16: '400 TFLOPS',
    fp8: '800 TFLOPS',
    memory: '64 GB',
    bandwidth: '2000 GB/s',
    price: '1 USD/h',
  };
  const plan = planFleet(parseScenario({ ...BASE, hardware }, () => undefined));
  assert.equal(plan.point.errorPct, 40);
  assert.ok(plan.profitBand.low < plan.profitBand.high);
});
