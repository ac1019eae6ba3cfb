import type { Fault } from '../../../ground/std/index.ts';
import type { JsonObject, JsonValue } from '../codec.ts';
import { isArray, isObject } from '../json.ts';
import { invalid } from './fields.ts';

/** Service tiers at the list price; others cost up to two and a half times as much, or are not sold as such. */
const TIERS: ReadonlySet<JsonValue | undefined> = new Set([
  undefined,
  null,
  'auto',
  'default',
  'on_demand',
  'standard',
]);
/** Tools that the client runs itself; every other type is run, and charged, by a vendor. */
const OWN_TOOLS: ReadonlySet<JsonValue | undefined> = new Set(['function', 'custom']);

/** Switches for searches that a vendor runs, charges per call, and fills the input with. `false` and null are "off". */
const SEARCHES = ['web_search_options', 'search_parameters', 'web_search', 'enable_search', 'plugins'] as const;

/** By which a router of routers (OpenRouter) takes another model, or another host of it, each at prices of its own. */
const ELSEWHERE = ['models', 'route', 'provider', 'preset'] as const;

/**
 * Refuses what costs money beyond input and output tokens: a meter without a price is refused before it starts, never
 * forwarded in the hope that it is cheap. Throws Fault `invalid_parameter`.
 */
export function refuseUnpriced(body: JsonObject): void {
  if (!TIERS.has(body['service_tier'])) throw unpriced('service_tier');
  for (const field of SEARCHES) if (isOn(body[field])) throw unpriced(field);
  for (const field of ELSEWHERE) if (isOn(body[field])) throw elsewhere(field);
  const { modalities, tools } = body;
  if (isArray(modalities) && modalities.some(modality => modality !== 'text')) throw unpriced('modalities');
  if (!isArray(tools)) return;
  for (const [index, tool] of tools.entries()) {
    // A tool without a type is a function, as older clients write it.
    if (isObject(tool) && tool['type'] !== undefined && !OWN_TOOLS.has(tool['type']))
      throw unpriced(`tools[${index}].type`);
  }
}

function isOn(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === false) return false;
  if (isArray(value)) return value.length > 0;
  return !(isObject(value) && (value['enable'] === false || value['mode'] === 'off'));
}

function elsewhere(param: string): Fault {
  return invalid(
    param,
    `${param} lets another model or host answer, at a price that is not the one of this model`,
    `${param} 会改由其他模型或主机回答，其价格与此模型不同`,
  );
}

function unpriced(param: string): Fault {
  return invalid(
    param,
    `${param} asks for something that is charged apart from tokens and has no price here`,
    `${param} 所请求的功能需在词元之外另行计费，此处尚未定价`,
  );
}
