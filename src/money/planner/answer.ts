import { type CurvePoint, interactivityCurve } from './curve.ts';
import { type FleetPlan, planFleet } from './fleet.ts';
import type { Scenario } from './scenario.ts';
import { type BreakEven, breakEvens, type TornadoBar, tornado } from './sensitivity.ts';

/** Everything that is said about one scenario. */
export interface FleetAnswer {
  readonly scenario: Scenario;
  readonly plan: FleetPlan;
  readonly curve: readonly CurvePoint[];
  readonly breakEvens: readonly BreakEven[];
  readonly tornado: readonly TornadoBar[];
}

/** The full answer: plan, curve over interactivity, break-evens and tornado. Throws `BadInput` where the scenario cannot run. */
export function answer(scenario: Scenario): FleetAnswer {
  return {
    scenario,
    plan: planFleet(scenario),
    curve: interactivityCurve(scenario),
    breakEvens: breakEvens(scenario),
    tornado: tornado(scenario),
  };
}
