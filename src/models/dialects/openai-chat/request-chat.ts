import type { Call, JsonObject } from '../codec.ts';
import { isArray, isObject } from '../json.ts';
import { CHOICES_MAX, checkNumber, invalid, LOGPROBS_MAX, optionalInteger, outputLimit } from './fields.ts';
import {
  addParts,
  addSchemas,
  guess,
  type InputBound,
  MEDIA_TOKENS,
  MESSAGE_TOKENS,
  TEMPLATE_TOKENS,
} from './input-bound.ts';
import { refuseUnpriced } from './unpriced.ts';

/** What a chat request costs at most, and whether it is one. Roles, and fields not named here, are the upstream's to judge. */
export function readChat(
  body: JsonObject,
  bytes: number,
): Pick<Call, 'maxOutputTokens' | 'choices' | 'inputTokensMax' | 'inputTokensGuess'> {
  const maxOutputTokens = outputLimit(body);
  // `best_of` is no field of chat, but engines that know it (vLLM) generate and bill as many.
  const choices = Math.max(
    optionalInteger(body, 'n', 1, CHOICES_MAX) ?? 1,
    optionalInteger(body, 'best_of', 1, CHOICES_MAX) ?? 1,
  );
  optionalInteger(body, 'top_logprobs', 0, LOGPROBS_MAX);
  checkNumber(body, 'temperature', 0, 2);
  const { messages, tools, functions, response_format: format } = body;
  if (!isArray(messages) || messages.length === 0) {
    throw invalid('messages', 'messages must be a non-empty array', 'messages 必须是非空数组');
  }
  if (tools !== undefined && tools !== null && !isArray(tools)) {
    throw invalid('tools', 'tools must be an array', 'tools 必须是数组');
  }
  refuseUnpriced(body);
  const bound: InputBound = {
    tokensMax: bytes + TEMPLATE_TOKENS + messages.length * MESSAGE_TOKENS,
    textBytes: bytes,
    images: 0,
  };
  for (let index = 0; index < messages.length; index += 1) checkMessage(messages[index], index, bound);
  if (tools !== undefined || functions !== undefined || isObject(format)) addSchemas([tools, functions, format], bound);
  const call = { choices, inputTokensMax: bound.tokensMax, inputTokensGuess: guess(bound) };
  return maxOutputTokens === undefined ? call : { ...call, maxOutputTokens };
}

function checkMessage(message: unknown, index: number, bound: InputBound): void {
  if (!isObject(message)) {
    const at = `messages[${index}]`;
    throw invalid(at, `${at} must be an object`, `${at} 必须是对象`);
  }
  if (typeof message['role'] !== 'string') {
    const at = `messages[${index}].role`;
    throw invalid(at, `${at} must be a string`, `${at} 必须是字符串`);
  }
  const { content } = message;
  if (isArray(content)) addParts(content, `messages[${index}].content`, bound);
  else if (typeof content !== 'string' && content !== undefined && content !== null) {
    const at = `messages[${index}].content`;
    throw invalid(at, `${at} must be a string or an array of parts`, `${at} 必须是字符串或内容片段数组`);
  }
  // An earlier spoken answer, which the vendor keeps and the client only names.
  if (isObject(message['audio'])) bound.tokensMax += MEDIA_TOKENS;
}
