// The planner: will this model earn? Roofline of a replica, fleet, queueing, price calendars, margin, break-even and sensitivities,
// and the published cases it reproduces. Pure functions: it must not know the store, the gateway, the clock, files or the network;
// what it needs of them (a parsed scenario, a trace's text, another model's config.json) is handed in.
export { answer, type FleetAnswer } from './answer.ts';
export { type Architecture, cacheBytesPerToken, parameters } from './architecture.ts';
export { BadInput } from './bad-input.ts';
export { type CaseReport, type CaseResult, type CaseRow, caseHolds, caseReport } from './case-result.ts';
export { CASE_NAMES, runCase } from './cases/index.ts';
export { type CurvePoint, interactivityCurve } from './curve.ts';
export { ARCHITECTURES } from './data/architectures.ts';
export { HARDWARE } from './data/hardware.ts';
export { PRICE_BOOKS } from './data/price-books.ts';
export { PROFILES } from './data/profiles.ts';
export { SCENARIOS } from './data/scenarios.ts';
export { type FleetPlan, planFleet, profitPerDay } from './fleet.ts';
export type { Hardware } from './hardware.ts';
export { architectureFromConfig } from './hf-config.ts';
export { parseScenario, type ReadJson } from './parse-scenario.ts';
export { type PriceBook, ratesAt } from './price-book.ts';
export {
  type ExchangeRate,
  formatPrice,
  type Money,
  parseExchangeRate,
  parseMoney,
  parseQuantity,
} from './quantity.ts';
export { curveChart, errorsChart, hoursChart, tornadoChart, waterfallChart } from './report/charts.ts';
export { caseHtml, comparisonHtml, fleetHtml } from './report/html.ts';
export { fleetJson, studyJson } from './report/json-report.ts';
export type { Language } from './report/language.ts';
export { caseText, comparisonRows, curveText, fleetText, studyText } from './report/text-report.ts';
export { type Align, textTable } from './report/text-table.ts';
export type { Scenario } from './scenario.ts';
export { breakEvens, type Study, study, tornado } from './sensitivity.ts';
export { summarizeTrace, type TraceSummary } from './trace.ts';
