import { TOOL_CLOSE, TOOL_OPEN } from '../templates/tool-notation.ts';
import { stringifyExact } from './exact-json.ts';
import { isObject, type Json } from './fields.ts';

/**
 * A conversation with function calls for a template that knows none: calls are text of the answer, results text of the
 * user, in the notation that the instruction asks for. Turns of one role are joined: many templates want them to alternate.
 */
export function toolsInWords(messages: readonly Json[]): readonly Json[] {
  const isPlain = messages.every(message => message['role'] !== 'tool' && message['tool_calls'] === undefined);
  if (isPlain) return messages;
  const out: Json[] = [];
  for (const message of messages.map(inWords)) {
    const last = out.at(-1);
    if (last === undefined || last['role'] !== message['role'] || message['role'] === 'system') out.push(message);
    else out[out.length - 1] = { ...last, content: `${last['content']}\n${message['content']}` };
  }
  return out;
}

function inWords(message: Json): Json {
  const { role, content, tool_calls: calls } = message;
  if (role === 'tool') return { role: 'user', content: `<tool_response>\n${content}\n</tool_response>` };
  if (!Array.isArray(calls)) return message;
  const texts = calls.map((call: unknown) => {
    const called = isObject(call) && isObject(call['function']) ? call['function'] : {};
    const { name, arguments: given } = called;
    return `${TOOL_OPEN}\n{"name": ${JSON.stringify(name)}, "arguments": ${stringifyExact(given ?? {})}}\n${TOOL_CLOSE}`;
  });
  const { tool_calls: _, ...rest } = message;
  return { ...rest, content: [...(content === '' ? [] : [content]), ...texts].join('\n') };
}

/** Into the first system message where there is one: some templates allow one alone. */
export function withInstruction(messages: readonly Json[], instruction: string): readonly Json[] {
  const [first, ...rest] = messages;
  if (first?.['role'] !== 'system') return [{ role: 'system', content: instruction }, ...messages];
  return [{ ...first, content: `${first['content']}\n\n${instruction}` }, ...rest];
}

/** For a template that takes no system message: what it would say begins the first turn of the user. */
export function withoutSystem(messages: readonly Json[]): readonly Json[] {
  const [first, second, ...rest] = messages;
  if (first?.['role'] !== 'system') return messages;
  if (second?.['role'] !== 'user') return [{ ...first, role: 'user' }, ...messages.slice(1)];
  return [{ ...second, content: `${first['content']}\n\n${second['content']}` }, ...rest];
}
