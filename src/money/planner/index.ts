// The planner: will this model earn? Roofline of a replica, fleet, queueing, price calendars, margin, break-even and sensitivities,
// and the published cases it reproduces. Pure functions: it must not know the store, the gateway, the clock, files or the network;
// what it needs of them (a parsed scenario, a trace's text, another model's config.json) is handed in.
export { answer, type FleetAnswer } from './answer.ts';
export { parameters } from './architecture.ts';
export { BadInput } from './bad-input.ts';
export { type CaseResult, caseHolds, caseReport } from './case-result.ts';
export { CASE_NAMES, runCase } from './cases/index.ts';
export { interactivityCurve } from './curve.ts';
export { ARCHITECTURES } from './data/architectures.ts';
export { HARDWARE } from './data/hardware.ts';
export { PRICE_BOOKS } from './data/price-books.ts';
export { PROFILES } from './data/profiles.ts';
export { SCENARIOS } from './data/scenarios.ts';
export { parseScenario } from './parse-scenario.ts';
export { curveChart, errorsChart, waterfallChart } from './report/charts.ts';
export { caseHtml, comparisonHtml, fleetHtml } from './report/html.ts';
export { fleetJson, studyJson } from './report/json-report.ts';
export type { Language } from './report/language.ts';
export { caseText, comparisonRows, curveText, fleetText, studyText } from './report/text-report.ts';
export { textTable } from './report/text-table.ts';
export type { Scenario } from './scenario.ts';
export { study } from './sensitivity.ts';
