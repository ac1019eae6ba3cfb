import { parse } from 'yaml';
import { BadInput } from '../bad-input.ts';
import { SCENARIOS } from '../data/scenarios.ts';
import { parseScenario } from '../parse-scenario.ts';
import type { Scenario } from '../scenario.ts';

/** A scenario that ships with the planner, with `change` laid over fields of its sections. */
export function shippedScenario(id: string, change: Readonly<Record<string, unknown>> = {}): Scenario {
  const found = SCENARIOS.find(scenario => scenario.id === id);
  if (!found) throw new BadInput('scenario', `unknown scenario "${id}"`, `未知方案“${id}”`);
  const document: Record<string, unknown> = { ...parse(found.yaml), ...change };
  return parseScenario(document, path => {
    throw new BadInput('model.config', `${path} cannot be read from a shipped scenario`, `内置方案不能读取 ${path}`);
  });
}
