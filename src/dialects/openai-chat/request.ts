import { Fault } from '../../std/index.ts';
import type { Call, JsonObject, JsonValue, Operation, Target } from '../codec.ts';
import { isArray, isObject, parseRequestObject } from '../json.ts';

const OUTPUT_MAX = 10_000_000;
const CHOICES_MAX = 128;
const EMBEDDING_INPUTS_MAX = 2_048;
/** Templates add role marks around each message; none seen adds more than this. */
const TEMPLATE_TOKENS = 16;
/** Special tokens around the whole prompt, and a default system prompt that some templates insert. */
const PROMPT_TOKENS = 128;
/** An image, a sound or a file given by address: what the largest known vendors charge for one at most. */
const PART_TOKENS = 16_384;

/** Reads a request. Throws Fault `malformed_request` or `invalid_parameter`, which names the field. */
export function decodeRequest(operation: Operation, bytes: Uint8Array): Call {
  const body = parseRequestObject(bytes);
  const { model } = body;
  if (typeof model !== 'string' || model === '')
    throw invalid('model', 'model must be a non-empty string', 'model 必须是非空字符串');
  const stream = optionalBoolean(body, 'stream') ?? false;
  const options = body['stream_options'];
  if (options !== undefined && options !== null && !isObject(options))
    throw invalid('stream_options', 'stream_options must be an object', 'stream_options 必须是对象');
  const wantsUsage = isObject(options) && options['include_usage'] === true;
  // Every byte-level token says at least one byte, so the body bounds its own tokens; what templates add is bounded apart.
  const bound = { tokens: bytes.length + PROMPT_TOKENS };
  const guess = Math.ceil(bytes.length / 4);
  if (operation === 'embeddings') {
    if (stream) throw invalid('stream', 'embeddings cannot be streamed', 'embeddings 不支持流式输出');
    const inputs = checkInput(body['input'], 'input', EMBEDDING_INPUTS_MAX);
    return {
      operation,
      model,
      stream: false,
      choices: 1,
      inputTokensMax: bound.tokens + inputs * TEMPLATE_TOKENS,
      inputTokensGuess: guess,
      wantsUsage: false,
      body,
    };
  }
  const maxOutputTokens = outputLimit(body);
  let choices = optionalInteger(body, 'n', CHOICES_MAX) ?? 1;
  optionalInteger(body, 'top_logprobs', 100, 0);
  if (operation === 'completions') {
    const prompts = checkInput(body['prompt'], 'prompt', CHOICES_MAX);
    choices = Math.max(choices, optionalInteger(body, 'best_of', CHOICES_MAX) ?? 1) * prompts;
    bound.tokens += prompts * TEMPLATE_TOKENS;
  } else checkMessages(body, bound, bytes.length);
  return {
    operation,
    model,
    stream,
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    choices,
    inputTokensMax: bound.tokens,
    inputTokensGuess: guess,
    wantsUsage,
    body,
  };
}

function checkMessages(body: JsonObject, bound: { tokens: number }, bytes: number): void {
  const { messages, tools } = body;
  if (!isArray(messages) || messages.length === 0)
    throw invalid('messages', 'messages must be a non-empty array', 'messages 必须是非空数组');
  for (const [index, message] of messages.entries()) {
    if (!isObject(message))
      throw invalid(`messages[${index}]`, `messages[${index}] must be an object`, `messages[${index}] 必须是对象`);
    if (typeof message['role'] !== 'string')
      throw invalid(
        `messages[${index}].role`,
        `messages[${index}].role must be a string`,
        `messages[${index}].role 必须是字符串`,
      );
    bound.tokens += TEMPLATE_TOKENS;
    const { content } = message;
    if (isArray(content))
      for (const part of content) if (isObject(part) && part['type'] !== 'text') bound.tokens += PART_TOKENS;
  }
  if (tools !== undefined && tools !== null && !isArray(tools))
    throw invalid('tools', 'tools must be an array', 'tools 必须是数组');
  // Templates write tool schemas out with indentation and explanations: their share of the body counts once more.
  if (isArray(tools) && tools.length > 0) bound.tokens += bytes;
}

/** How many inputs a prompt or an embedding request holds: a text, a list of texts, tokens, or lists of tokens. */
function checkInput(value: JsonValue | undefined, param: string, most: number): number {
  const wrong = () =>
    invalid(
      param,
      `${param} must be a string, an array of strings, or tokens`,
      `${param} 必须是字符串、字符串数组或令牌数组`,
    );
  if (typeof value === 'string') return 1;
  if (!isArray(value) || value.length === 0) throw wrong();
  if (value.every(item => typeof item === 'number' && Number.isInteger(item) && item >= 0)) return 1;
  if (
    !value.every(
      item =>
        typeof item === 'string' ||
        (isArray(item) &&
          item.length > 0 &&
          item.every(token => typeof token === 'number' && Number.isInteger(token) && token >= 0)),
    )
  )
    throw wrong();
  if (value.length > most)
    throw invalid(
      param,
      `${param} holds ${value.length} items; at most ${most} are taken`,
      `${param} 有 ${value.length} 项，最多 ${most} 项`,
    );
  return value.length;
}

/** The smaller of the two names of the same limit. */
function outputLimit(body: JsonObject): number | undefined {
  const old = optionalInteger(body, 'max_tokens', OUTPUT_MAX);
  const current = optionalInteger(body, 'max_completion_tokens', OUTPUT_MAX);
  if (old === undefined || current === undefined) return old ?? current;
  return Math.min(old, current);
}

function optionalInteger(body: JsonObject, param: string, most: number, least = 1): number | undefined {
  const value = body[param];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw invalid(
      param,
      `${param} must be a whole number from ${least} to ${most}`,
      `${param} 必须是 ${least} 到 ${most} 之间的整数`,
    );
  return value;
}

function optionalBoolean(body: JsonObject, param: string): boolean | undefined {
  const value = body[param];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean')
    throw invalid(param, `${param} must be true or false`, `${param} 必须是 true 或 false`);
  return value;
}

function invalid(param: string, message: string, messageZh: string): Fault {
  return new Fault('invalid_parameter', { message, messageZh, param });
}

/** The request as the upstream gets it: its model name, usage always asked for, the output bounded; all else as it came. */
export function encodeRequest(call: Call, target: Target): string {
  const body: Record<string, JsonValue | undefined> = { ...call.body, model: target.model };
  const quirks = new Set(target.quirks);
  if (call.stream && !quirks.has('no-stream-options'))
    body['stream_options'] = {
      ...(isObject(body['stream_options']) ? body['stream_options'] : {}),
      include_usage: true,
    };
  else if (quirks.has('no-stream-options')) delete body['stream_options'];
  if (call.operation !== 'embeddings') {
    const limit = call.maxOutputTokens ?? target.maxOutputTokens;
    const wanted =
      quirks.has('max-completion-tokens') ||
      (call.body['max_completion_tokens'] !== undefined && call.body['max_completion_tokens'] !== null)
        ? 'max_completion_tokens'
        : 'max_tokens';
    delete body['max_tokens'];
    delete body['max_completion_tokens'];
    body[wanted] = limit;
  }
  return JSON.stringify(body);
}
