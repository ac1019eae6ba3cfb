import type { JsonValue } from '../codec.ts';
import { isArray, isObject } from '../json.ts';

/**
 * Words in the names of the fields in which vendors and gateways say what they charge us: `cost`, `estimated_cost`, `total_cost`,
 * `cost_in_usd_ticks`, `cost_details`, `x_nanogpt_pricing`, `providerMetadata.gateway.cost` … Read by word, not by a list of
 * names, since each new vendor brings another.
 */
const WORDS = ['cost', 'price', 'pricing', 'billing', 'charge'] as const;
/** The same without their first letters, which may be capitals. */
const TAILS = ['ost', 'ric', 'illing', 'harge'] as const;
/** What the answer itself says: a tool's arguments or a part of a text may be about prices. */
const ANSWER: ReadonlySet<string> = new Set([
  'content',
  'tool_calls',
  'function_call',
  'logprobs',
  'audio',
  'annotations',
  'reasoning_details',
]);
/** Deeper than any vendor nests; what lies below goes as a whole. */
const DEPTH_MAX = 32;

/** Whether JSON text may hold such a field: what is asked of every chunk of a stream. */
export function mayNamePrices(text: string): boolean {
  for (const tail of TAILS) if (text.includes(tail)) return true;
  return false;
}

export function isPriceName(name: string): boolean {
  const lower = name.toLowerCase();
  return WORDS.some(word => lower.includes(word));
}

/**
 * Takes out, in place, what the vendor says it charges: nobody's business but the operator's. The value must be ours alone. Says
 * whether there was any.
 */
export function dropPrices(value: JsonValue | undefined, depth = 0): boolean {
  let dropped = false;
  if (isArray(value)) {
    for (const item of value) {
      // Embeddings are long lists of numbers.
      if (typeof item !== 'object') break;
      if (dropPrices(item, depth + 1)) dropped = true;
    }
    return dropped;
  }
  if (!isObject(value)) return false;
  const fields: Record<string, JsonValue | undefined> = value;
  for (const [name, inner] of Object.entries(fields)) {
    if (isPriceName(name) || (depth >= DEPTH_MAX && typeof inner === 'object')) {
      fields[name] = undefined;
      dropped = true;
    } else if (!ANSWER.has(name) && dropPrices(inner, depth + 1)) dropped = true;
  }
  return dropped;
}
