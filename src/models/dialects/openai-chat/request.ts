import type { Call, JsonObject, Operation } from '../codec.ts';
import { isObject, parseRequestObject } from '../json.ts';
import { invalid, MODEL_LENGTH_MAX, optionalBoolean } from './fields.ts';
import { readChat } from './request-chat.ts';
import { readCompletions } from './request-completions.ts';
import { readEmbeddings } from './request-embeddings.ts';

/**
 * Reads a request. Checked is what money depends on, and what a wrong type of would break; everything else goes to the
 * upstream as it came.
 *
 * @throws Fault `malformed_request` where the body is no JSON object, `invalid_parameter` with `param` otherwise.
 */
export function decodeRequest(operation: Operation, bytes: Uint8Array): Call {
  const body = parseRequestObject(bytes);
  const { model } = body;
  if (typeof model !== 'string' || model === '' || model.length > MODEL_LENGTH_MAX) {
    throw invalid('model', 'model must be the name of a model', 'model 必须是模型名称');
  }
  const stream = optionalBoolean(body, 'stream') ?? false;
  const wantsUsage = asksForUsage(body);
  switch (operation) {
    case 'chat':
      return { operation, model, stream, wantsUsage, body, ...readChat(body, bytes.length) };
    case 'completions':
      return { operation, model, stream, wantsUsage, body, ...readCompletions(body, bytes.length) };
    case 'embeddings':
      return { operation, model, stream: false, wantsUsage: false, body, ...readEmbeddings(body, bytes.length) };
    default:
      return operation satisfies never;
  }
}

function asksForUsage(body: JsonObject): boolean {
  const { stream_options: options } = body;
  if (options === undefined || options === null) return false;
  if (!isObject(options)) {
    throw invalid('stream_options', 'stream_options must be an object', 'stream_options 必须是对象');
  }
  const { include_usage: wanted } = options;
  if (wanted === undefined || wanted === null || typeof wanted === 'boolean') return wanted === true;
  const at = 'stream_options.include_usage';
  throw invalid(at, `${at} must be true or false`, `${at} 必须是 true 或 false`);
}
