import type { Call, JsonObject } from '../codec.ts';
import { INPUTS_MAX, invalid, optionalInteger } from './fields.ts';
import { countInputs, guess, MESSAGE_TOKENS, TEMPLATE_TOKENS } from './input-bound.ts';
import { refuseUnpriced } from './unpriced.ts';

const DIMENSIONS_MAX = 1_000_000;

/** What an embeddings request costs at most: input only. */
export function readEmbeddings(
  body: JsonObject,
  bytes: number,
): Pick<Call, 'choices' | 'inputTokensMax' | 'inputTokensGuess'> {
  if (body['stream'] === true) {
    throw invalid('stream', 'Embeddings can not be streamed', '嵌入接口不支持流式输出');
  }
  const inputs = countInputs(body['input'], 'input', INPUTS_MAX);
  optionalInteger(body, 'dimensions', 1, DIMENSIONS_MAX);
  refuseUnpriced(body);
  return {
    choices: 1,
    inputTokensMax: bytes + TEMPLATE_TOKENS + inputs * MESSAGE_TOKENS,
    inputTokensGuess: guess({ tokensMax: 0, textBytes: bytes, images: 0 }),
  };
}
