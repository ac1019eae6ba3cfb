import { Fault } from '../../../ground/std/index.ts';
import type { JsonObject } from '../codec.ts';

/** Largest answer that can be asked for, in tokens: ten times what any vendor sells (November 2026). */
export const OUTPUT_TOKENS_MAX = 10_000_000;
/** Most choices of one prompt, as OpenAI bounds `n`. */
export const CHOICES_MAX = 128;
/** Most inputs of one embeddings request, as OpenAI bounds it. */
export const INPUTS_MAX = 2_048;
export const MODEL_LENGTH_MAX = 256;
export const LOGPROBS_MAX = 100;

export function invalid(param: string, message: string, messageZh: string): Fault {
  return new Fault('invalid_parameter', { message, messageZh, param });
}

/** A whole number within bounds; undefined where it is absent or null. Throws Fault `invalid_parameter`. */
export function optionalInteger(body: JsonObject, param: string, least: number, most: number): number | undefined {
  const value = body[param];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalid(
    param,
    `${param} must be a whole number from ${least} to ${most}`,
    `${param} 必须是 ${least} 到 ${most} 之间的整数`,
  );
}

/** A finite number within bounds, absent or null. Throws Fault `invalid_parameter`. */
export function checkNumber(body: JsonObject, param: string, least: number, most: number): void {
  const value = body[param];
  if (value === undefined || value === null) return;
  if (typeof value === 'number' && value >= least && value <= most) return;
  throw invalid(
    param,
    `${param} must be a number from ${least} to ${most}`,
    `${param} 必须是 ${least} 到 ${most} 之间的数`,
  );
}

/** Throws Fault `invalid_parameter` where it is neither a boolean, absent nor null. */
export function optionalBoolean(body: JsonObject, param: string): boolean | undefined {
  const value = body[param];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  throw invalid(param, `${param} must be true or false`, `${param} 必须是 true 或 false`);
}

/** Both names of the limit of an answer; where both are given, the smaller binds. */
export function outputLimit(body: JsonObject): number | undefined {
  const older = optionalInteger(body, 'max_tokens', 1, OUTPUT_TOKENS_MAX);
  const newer = optionalInteger(body, 'max_completion_tokens', 1, OUTPUT_TOKENS_MAX);
  return older === undefined || newer === undefined ? (older ?? newer) : Math.min(older, newer);
}
