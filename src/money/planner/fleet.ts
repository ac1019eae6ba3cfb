import type { Nano } from '@millrace/contract';
import { requireWithin } from './bad-input.ts';
import { exchange, hoursCost, shareOf, toMajor } from './money.ts';
import { type OperatingPoint, operatingPoint } from './operating-point.ts';
import { charge, type TokenRates } from './price-book.ts';
import type { Money } from './quantity.ts';
import { unitsWithFailures, waitQuantile } from './queueing.ts';
import type { Scenario } from './scenario.ts';

const HOURS = 24;
const HOUR_SECONDS = 3600;
const MONTH_DAYS = 30;

export interface HourPlan {
  readonly hour: number;
  readonly outputPerSecond: number;
  readonly inputPerSecond: number;
  readonly prefillUnits: number;
  readonly decodeUnits: number;
  readonly nodes: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface FleetPlan {
  readonly point: OperatingPoint;
  readonly hours: readonly HourPlan[];
  readonly nodesMean: number;
  readonly nodesPeak: number;
  readonly nodesRented: number;
  readonly gpusRented: number;
  /** Time to first token in the busiest hour, seconds, queue included; Infinity where the queue grows without end. */
  readonly ttftSeconds: Percentiles;
  readonly tpotMs: number;
  readonly streamsMean: number;
  /** All per day, in the scenario's currency; revenue is the mean over its days, as its calendar prices them. */
  readonly costDay: Money;
  readonly revenueDay: Money;
  readonly profitDay: Money;
  /** Profit over cost (DeepSeek's 545 %) and over revenue. */
  readonly profitOverCost: number;
  readonly profitOverRevenue: number;
  readonly costPerMtokOutput: Money;
  /** Profit per day when throughput is at the low and the high end of its band. */
  readonly profitBand: { readonly low: number; readonly high: number };
}

/** Units of one pool in one hour: need at the wanted utilisation, whole where units are whole, with cover for failures and spares. */
function units(scenario: Scenario, tokensPerSecond: number, perUnit: number): number {
  const { availability, assurance, spares, utilisation, wholeUnits } = scenario.serving;
  const need = tokensPerSecond / (perUnit * utilisation);
  if (!wholeUnits) return (need / availability) * (1 + spares);
  return Math.ceil(unitsWithFailures(Math.ceil(need - 1e-9), availability, assurance) * (1 + spares) - 1e-9);
}

function planHours(scenario: Scenario, point: OperatingPoint): readonly HourPlan[] {
  const { demand, serving } = scenario;
  return demand.profile.map((factor, hour) => {
    const outputPerSecond = demand.outputPerSecond * factor;
    const inputPerSecond = outputPerSecond * demand.inputPerOutput;
    const decodeUnits = units(scenario, outputPerSecond, point.decodePerUnit);
    const prefillUnits = serving.mode === 'aggregated' ? 0 : units(scenario, inputPerSecond, point.prefillPerUnit);
    const nodes = decodeUnits * point.decodeUnitNodes + prefillUnits * point.prefillUnitNodes;
    return { hour, outputPerSecond, inputPerSecond, prefillUnits, decodeUnits, nodes };
  });
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

function scaleRates(rates: TokenRates, factor: number): TokenRates {
  if (factor === 1) return rates;
  return {
    hitNano: shareOf(rates.hitNano, factor),
    missNano: shareOf(rates.missNano, factor),
    outputNano: shareOf(rates.outputNano, factor),
  };
}

/** One charge per set of rates, on all the day's tokens at it: as many roundings as there are rates, not hours. */
function revenueOf(scenario: Scenario): Nano {
  const { calendar, demand } = scenario;
  let nano = 0n;
  for (const { rates, hourShares } of calendar) {
    const weight = demand.profile.reduce((sum, factor, hour) => sum + factor * (hourShares[hour] ?? 0), 0);
    const output = demand.outputPerSecond * HOUR_SECONDS * weight;
    const input = output * demand.inputPerOutput;
    nano += charge(
      scaleRates(rates, scenario.priceFactor),
      {
        hit: input * demand.cachedShare,
        miss: input * (1 - demand.cachedShare),
        output,
      },
      scenario.price,
    );
  }
  return nano;
}

function costOf(scenario: Scenario, nodesRented: number): Nano {
  const { costs, currency, exchange: rate, hardware } = scenario;
  const hour = exchange(costs.gpuHour, currency, rate).nano;
  const gpu = hoursCost(nodesRented * hardware.perNode * HOURS, hour);
  const fixed = exchange(costs.fixedMonth, currency, rate).nano;
  return gpu + shareOf(gpu, costs.otherShare) + fixed / BigInt(MONTH_DAYS);
}

function rented(scenario: Scenario, hours: readonly HourPlan[]): number {
  const nodes = hours.map(hour => hour.nodes);
  return scenario.serving.scaling === 'peak' ? Math.max(...nodes) : mean(nodes);
}

/** Waits in the busiest hour; the pool is what was rented for it. */
function firstToken(scenario: Scenario, point: OperatingPoint, hours: readonly HourPlan[]): Percentiles {
  const { demand, serving } = scenario;
  const busiest = hours.reduce((most, hour) => (hour.outputPerSecond > most.outputPerSecond ? hour : most));
  const pool = serving.mode === 'aggregated' ? busiest.decodeUnits : busiest.prefillUnits;
  const servers = Math.max(1, Math.floor(pool * point.prefillRanksPerUnit * serving.availability));
  const perServer = point.prefillPerUnit / point.prefillRanksPerUnit / demand.requestInput;
  const queue = {
    servers,
    arrivalsPerSecond: busiest.inputPerSecond / demand.requestInput,
    serviceSeconds: 1 / perServer,
    arrivalVariation: demand.arrivalVariation,
    serviceVariation: demand.lengthVariation,
  };
  const at = (quantile: number) => waitQuantile(queue, quantile) + point.prefillServiceSeconds;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

/** Profit per day in major units: what break-evens, tornados and studies vary. No queueing, so a thousand take milliseconds. */
export function profitPerDay(scenario: Scenario): number {
  const hours = planHours(scenario, operatingPoint(scenario));
  const revenue = exchange(
    { nano: revenueOf(scenario), currency: scenario.price.currency },
    scenario.currency,
    scenario.exchange,
  );
  return toMajor(revenue.nano - costOf(scenario, rented(scenario, hours)));
}

function withEfficiency(scenario: Scenario, factor: number): Scenario {
  return { ...scenario, serving: { ...scenario.serving, efficiency: scenario.serving.efficiency * factor } };
}

/** Profit at an end of the band; a unit too slow for any user at that end earns nothing and costs the same. */
function profitAt(scenario: Scenario, factor: number): number {
  try {
    return profitPerDay(withEfficiency(scenario, factor));
  } catch {
    return Number.NEGATIVE_INFINITY;
  }
}

/** The whole answer of one scenario: nodes by the hour, latency, cost, revenue and margin. Throws `BadInput` where the scenario cannot run. */
export function planFleet(scenario: Scenario): FleetPlan {
  requireWithin('serving.utilisation', scenario.serving.utilisation, { min: 0.001, max: 1 });
  const point = operatingPoint(scenario);
  const hours = planHours(scenario, point);
  const { currency } = scenario;
  const nodesRented = rented(scenario, hours);
  const costNano = costOf(scenario, nodesRented);
  const revenue = exchange(
    { nano: revenueOf(scenario), currency: scenario.price.currency },
    currency,
    scenario.exchange,
  );
  const profitNano = revenue.nano - costNano;
  const cost = toMajor(costNano);
  const mtokDay = (scenario.demand.outputPerSecond * HOUR_SECONDS * HOURS) / 1e6;
  const band = point.errorPct / 100;
  return {
    point,
    hours,
    nodesMean: mean(hours.map(hour => hour.nodes)),
    nodesPeak: Math.max(...hours.map(hour => hour.nodes)),
    nodesRented,
    gpusRented: nodesRented * scenario.hardware.perNode,
    ttftSeconds: firstToken(scenario, point, hours),
    tpotMs: 1000 / point.tokensPerSecondPerUser,
    streamsMean: scenario.demand.outputPerSecond / point.tokensPerSecondPerUser,
    costDay: { nano: costNano, currency },
    revenueDay: revenue,
    profitDay: { nano: profitNano, currency },
    profitOverCost: cost > 0 ? toMajor(profitNano) / cost : 0,
    profitOverRevenue: revenue.nano > 0n ? toMajor(profitNano) / toMajor(revenue.nano) : 0,
    costPerMtokOutput: { nano: mtokDay > 0 ? BigInt(Math.round(Number(costNano) / mtokDay)) : 0n, currency },
    profitBand:
      band === 0
        ? { low: toMajor(profitNano), high: toMajor(profitNano) }
        : { low: profitAt(scenario, 1 - band), high: profitAt(scenario, 1 + band) },
  };
}
