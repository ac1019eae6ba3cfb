import { formatAmount } from '@millrace/contract';
import type { FleetAnswer } from '../answer.ts';
import type { Money } from '../quantity.ts';
import type { Scenario } from '../scenario.ts';
import type { Study } from '../sensitivity.ts';

/** Money for machines: exact decimal text, as everywhere in the control API. */
const money = ({ nano, currency }: Money) => ({ amount: formatAmount(nano), currency });

/** JSON has no infinity; a wait without end is null. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** One scenario's answer as plain JSON values; times and rates in the unit of their names. */
export function fleetJson({ scenario, plan, curve, breakEvens, tornado }: FleetAnswer): unknown {
  const { ttftSeconds: ttft } = plan;
  return {
    scenario: scenario.name,
    model: scenario.model.id,
    hardware: scenario.hardware.id,
    point: plan.point,
    nodesMean: plan.nodesMean,
    nodesPeak: plan.nodesPeak,
    nodesRented: plan.nodesRented,
    gpusRented: plan.gpusRented,
    streamsMean: plan.streamsMean,
    tpotMs: plan.tpotMs,
    ttftSeconds: { p50: finite(ttft.p50), p90: finite(ttft.p90), p99: finite(ttft.p99) },
    costDay: money(plan.costDay),
    revenueDay: money(plan.revenueDay),
    profitDay: money(plan.profitDay),
    costPerMtokOutput: money(plan.costPerMtokOutput),
    profitOverCost: plan.profitOverCost,
    profitOverRevenue: plan.profitOverRevenue,
    profitBand: { low: finite(plan.profitBand.low), high: finite(plan.profitBand.high) },
    hours: plan.hours,
    curve,
    breakEvens: breakEvens.map(entry => ({
      variable: entry.variable.id,
      unit: entry.unit,
      current: entry.current,
      value: entry.value ?? null,
    })),
    tornado: tornado.map(bar => ({
      variable: bar.variable.id,
      lowValue: bar.lowValue,
      highValue: bar.highValue,
      low: bar.low ?? null,
      high: bar.high ?? null,
    })),
  };
}

export function studyJson(scenario: Scenario, result: Study): unknown {
  const { samples, impossible, lossShare, p5, p50, p95 } = result;
  return {
    scenario: scenario.name,
    currency: scenario.currency,
    samples,
    impossible,
    lossShare,
    profitDay: { p5, p50, p95 },
    drivers: result.drivers.map(driver => ({ variable: driver.variable.id, correlation: driver.correlation })),
  };
}
