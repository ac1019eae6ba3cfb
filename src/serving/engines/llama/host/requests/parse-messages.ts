import { parseExact } from './exact-json.ts';
import { type Fields, invalid, isObject, type Json } from './fields.ts';

const MESSAGES_MAX = 4_096;
const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool']);

/** The conversation in the words that templates of the field expect: content is text, `developer` is `system`. @throws Fault */
export function parseMessages(fields: Fields): readonly Json[] {
  const messages = fields.value('messages');
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > MESSAGES_MAX)
    throw invalid('messages', `must be a list of 1 to ${MESSAGES_MAX}`, `必须是 1 到 ${MESSAGES_MAX} 条的列表`);
  return messages.map((message: unknown, index) => parseMessage(message, `messages.${index}`));
}

function parseMessage(message: unknown, path: string): Json {
  if (!isObject(message)) throw invalid(path, 'must be an object', '必须是对象');
  const { role, content, name, tool_calls: calls, tool_call_id: callId, reasoning_content: reasoning } = message;
  if (typeof role !== 'string' || !ROLES.has(role))
    throw invalid(`${path}.role`, `must be one of ${[...ROLES].join(', ')}`, `必须是 ${[...ROLES].join('、')} 之一`);
  const text = contentText(content ?? undefined, `${path}.content`);
  if (text === undefined && calls === undefined) throw invalid(`${path}.content`, 'is missing', '缺失');
  return {
    role: role === 'developer' ? 'system' : role,
    // Templates add strings; null would be an error in some and the word "None" in others.
    content: text ?? '',
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof callId === 'string' ? { tool_call_id: callId } : {}),
    ...(typeof reasoning === 'string' ? { reasoning_content: reasoning } : {}),
    ...(calls === undefined || calls === null ? {} : { tool_calls: parseCalls(calls, `${path}.tool_calls`) }),
  };
}

function contentText(content: unknown, path: string): string | undefined {
  if (content === undefined || typeof content === 'string') return content;
  if (!Array.isArray(content)) throw invalid(path, 'must be text or a list of parts', '必须是文本或内容块列表');
  return content
    .map((part: unknown, index) => {
      if (isObject(part) && part['type'] === 'text' && typeof part['text'] === 'string') return part['text'];
      if (isObject(part) && part['type'] === 'refusal' && typeof part['refusal'] === 'string') return part['refusal'];
      throw invalid(`${path}.${index}`, 'is not text, and this engine takes text only', '不是文本，此引擎只接受文本');
    })
    .join('');
}

/** Templates want the arguments as an object where OpenAI's API has JSON text. */
function parseCalls(calls: unknown, path: string): readonly Json[] {
  if (!Array.isArray(calls)) throw invalid(path, 'must be a list', '必须是列表');
  return calls.map((call: unknown, index) => {
    const called = isObject(call) ? call['function'] : undefined;
    if (!isObject(call) || !isObject(called) || typeof called['name'] !== 'string')
      throw invalid(`${path}.${index}`, 'must name a function', '必须指定函数名');
    return { ...call, type: 'function', function: { ...called, arguments: parsedArguments(called['arguments']) } };
  });
}

function parsedArguments(given: unknown): unknown {
  if (typeof given !== 'string') return given ?? {};
  try {
    return parseExact(given);
  } catch {
    return given;
  }
}
