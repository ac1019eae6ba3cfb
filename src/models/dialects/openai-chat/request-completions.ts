import type { Call, JsonObject } from '../codec.ts';
import { CHOICES_MAX, checkNumber, LOGPROBS_MAX, optionalInteger, outputLimit } from './fields.ts';
import { countInputs, guess, MESSAGE_TOKENS, TEMPLATE_TOKENS } from './input-bound.ts';
import { refuseUnpriced } from './unpriced.ts';

/** Most prompts of one request. */
const PROMPTS_MAX = 128;

/** What a completions request costs at most. Every prompt gets its own choices. */
export function readCompletions(
  body: JsonObject,
  bytes: number,
): Pick<Call, 'maxOutputTokens' | 'choices' | 'inputTokensMax' | 'inputTokensGuess'> {
  const maxOutputTokens = outputLimit(body);
  const prompts = countInputs(body['prompt'], 'prompt', PROMPTS_MAX);
  // `best_of` candidates are all generated, and billed, though only `n` are shown.
  const each = Math.max(
    optionalInteger(body, 'n', 1, CHOICES_MAX) ?? 1,
    optionalInteger(body, 'best_of', 1, CHOICES_MAX) ?? 1,
  );
  optionalInteger(body, 'logprobs', 0, LOGPROBS_MAX);
  optionalInteger(body, 'top_logprobs', 0, LOGPROBS_MAX);
  checkNumber(body, 'temperature', 0, 2);
  refuseUnpriced(body);
  const call = {
    choices: prompts * each,
    inputTokensMax: bytes + TEMPLATE_TOKENS + prompts * MESSAGE_TOKENS,
    inputTokensGuess: guess({ tokensMax: 0, textBytes: bytes, images: 0 }),
  };
  return maxOutputTokens === undefined ? call : { ...call, maxOutputTokens };
}
