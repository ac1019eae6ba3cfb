import { stretch } from './day-profile.ts';
import { shareOf } from './money.ts';
import type { Scenario } from './scenario.ts';

/** A quantity of a scenario that break-evens, tornados and studies turn: how to read it, and how to multiply it. */
export interface Variable {
  readonly id:
    | 'price'
    | 'gpuPrice'
    | 'demand'
    | 'cachedShare'
    | 'inputPerOutput'
    | 'utilisation'
    | 'throughput'
    | 'peak'
    | 'requestInput'
    | 'interactivity'
    | 'exchange';
  readonly unit: string;
  /** Swing of the tornado: the variable times 1 − swing and 1 + swing. */
  readonly swing: number;
  /** Shares end at 1. */
  readonly ceiling?: number;
  readonly value: (scenario: Scenario) => number;
  readonly scale: (scenario: Scenario, factor: number) => Scenario;
}

const serving = (scenario: Scenario, change: Partial<Scenario['serving']>): Scenario => ({
  ...scenario,
  serving: { ...scenario.serving, ...change },
});
const demand = (scenario: Scenario, change: Partial<Scenario['demand']>): Scenario => ({
  ...scenario,
  demand: { ...scenario.demand, ...change },
});
const share = (value: number): number => Math.min(1, value);

export const VARIABLES: readonly Variable[] = [
  {
    id: 'price',
    unit: '×',
    swing: 0.25,
    value: s => s.priceFactor,
    scale: (s, f) => ({ ...s, priceFactor: s.priceFactor * f }),
  },
  {
    id: 'gpuPrice',
    unit: '/h',
    swing: 0.25,
    value: s => Number(s.costs.gpuHour.nano) / 1e9,
    scale: (s, f) => ({
      ...s,
      costs: { ...s.costs, gpuHour: { ...s.costs.gpuHour, nano: shareOf(s.costs.gpuHour.nano, f) } },
    }),
  },
  {
    id: 'demand',
    unit: 'tok/s',
    swing: 0.25,
    value: s => s.demand.outputPerSecond,
    scale: (s, f) => demand(s, { outputPerSecond: s.demand.outputPerSecond * f }),
  },
  {
    id: 'cachedShare',
    unit: '',
    swing: 0.25,
    ceiling: 1,
    value: s => s.demand.cachedShare,
    scale: (s, f) => demand(s, { cachedShare: share(s.demand.cachedShare * f) }),
  },
  {
    id: 'inputPerOutput',
    unit: '',
    swing: 0.25,
    value: s => s.demand.inputPerOutput,
    scale: (s, f) => demand(s, { inputPerOutput: s.demand.inputPerOutput * f }),
  },
  {
    id: 'utilisation',
    unit: '',
    swing: 0.25,
    ceiling: 1,
    value: s => s.serving.utilisation,
    scale: (s, f) => serving(s, { utilisation: Math.max(0.001, share(s.serving.utilisation * f)) }),
  },
  {
    id: 'throughput',
    unit: '×',
    swing: 0.15,
    value: s => s.serving.efficiency,
    scale: (s, f) => serving(s, { efficiency: s.serving.efficiency * f }),
  },
  {
    id: 'peak',
    unit: '×',
    swing: 0.5,
    value: s => Math.max(...s.demand.profile),
    scale: (s, f) => demand(s, { profile: stretch(s.demand.profile, f) }),
  },
  {
    id: 'requestInput',
    unit: 'tok',
    swing: 0.25,
    value: s => s.demand.requestInput,
    scale: (s, f) => demand(s, { requestInput: Math.max(1, s.demand.requestInput * f) }),
  },
  {
    id: 'interactivity',
    unit: 'tok/s',
    swing: 0.25,
    value: s => s.serving.tokensPerSecondPerUser,
    scale: (s, f) => serving(s, { tokensPerSecondPerUser: s.serving.tokensPerSecondPerUser * f }),
  },
  {
    id: 'exchange',
    unit: '',
    swing: 0.05,
    value: s => Number(s.exchange?.nano ?? 0n) / 1e9,
    scale: (s, f) => (s.exchange ? { ...s, exchange: { ...s.exchange, nano: shareOf(s.exchange.nano, f) } } : s),
  },
];
