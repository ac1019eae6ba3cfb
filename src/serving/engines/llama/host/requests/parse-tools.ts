import { literal } from '../grammar/gbnf.ts';
import { toolCallGrammar } from '../grammar/json-schema-grammar.ts';
import type { ModelProfile } from '../model/profiles.ts';
import type { ChatTemplate } from '../templates/chat-template.ts';
import { TOOL_CLOSE, TOOL_OPEN, toolTypes } from '../templates/tool-notation.ts';
import type { ToolShape } from '../templates/tool-text.ts';
import { stringifyExact } from './exact-json.ts';
import { type Fields, invalid, isObject, type Json } from './fields.ts';

const TOOLS_MAX = 128;

interface Tool {
  readonly name: string;
  readonly parameters: unknown;
  readonly path: string;
  readonly definition: Json;
}

/** How an answer may, or must, call functions. */
export interface ToolPlan {
  /** For the template; undefined: it is told of none. */
  readonly definitions?: readonly Json[];
  /** Put before the conversation where the template does not put the functions into words. */
  readonly instruction?: string;
  /** Calls of the conversation so far stand in it as text, since the template does not know them. */
  readonly inWords?: boolean;
  /** GBNF that forces one call. */
  readonly grammar?: string;
  /** Undefined: the answer is text. */
  readonly shape: ToolShape | undefined;
  /** The functions had no effect, and why; for a header. */
  readonly unused?: string;
}

type ToolProfile = Pick<ModelProfile, 'jsonBounds' | 'readsInstructions'>;

/** Why a model that follows no instructions is not told of functions it may choose. */
export const TOOLS_UNUSED = 'not offered: this model was not trained to choose tools';

/**
 * `required` and a named function are kept by a grammar, with any model. `auto` leaves the choice to the model: in its own
 * notation where its template taught it one that can be told from text, else in that of Hermes, asked for in words. A model
 * that follows no instructions answers in text, and a header says so: agents always send `auto`, and none has another way.
 * @throws Fault `invalid_parameter`
 */
export function parseTools(fields: Fields, template: ChatTemplate, profile: ToolProfile = {}): ToolPlan {
  fields.accept(['parallel_tool_calls']);
  const tools = toolList(fields.value('tools'));
  const choice = fields.value('tool_choice') ?? (tools.length === 0 ? 'none' : 'auto');
  const inWords = !template.marksToolCalls;
  if (choice === 'none') return { shape: undefined, inWords };
  if (tools.length === 0) throw invalid('tool_choice', 'needs tools', '需要同时提供 tools');
  if (choice === 'auto') return offered(tools, template, profile);
  const chosen = choice === 'required' ? tools : tools.filter(tool => tool.name === functionName(choice));
  if (chosen.length === 0)
    throw invalid(
      'tool_choice',
      'must be none, auto, required or one of the tools',
      '必须是 none、auto、required 或 tools 中的一个',
    );
  return forcedCall(chosen, template, profile);
}

function offered(tools: readonly Tool[], template: ChatTemplate, profile: ToolProfile): ToolPlan {
  const definitions = tools.map(tool => tool.definition);
  const shape: ToolShape = { mode: 'marked', loose: template.marksFunctions, types: toolTypes(tools) };
  if (template.marksToolCalls) return { definitions, shape };
  if (profile.readsInstructions === false) return { shape: undefined, inWords: true, unused: TOOLS_UNUSED };
  return { instruction: inHermesWords(tools), inWords: true, shape };
}

/** The words that models of many makers have seen in training (NousResearch, Hermes function calling; Qwen2.5's template). */
function inHermesWords(tools: readonly Tool[]): string {
  const definitions = tools.map(tool => stringifyExact(tool.definition)).join('\n');
  return `# Tools

You may call one or more functions to assist with the user query. Answer as usual where none is needed.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${definitions}
</tools>

For each function call, return a json object with function name and arguments within ${TOOL_OPEN}${TOOL_CLOSE} XML tags:
${TOOL_OPEN}
{"name": <function-name>, "arguments": <args-json-object>}
${TOOL_CLOSE}`;
}

function functionName(choice: unknown): unknown {
  const named = isObject(choice) && choice['type'] === 'function' ? choice['function'] : undefined;
  return isObject(named) ? named['name'] : undefined;
}

function forcedCall(tools: readonly Tool[], template: ChatTemplate, profile: ToolProfile): ToolPlan {
  const definitions = tools.map(tool => tool.definition);
  const marked = template.marksToolCalls;
  const frame = marked
    ? { before: literal(`${TOOL_OPEN}\n`), after: literal(`\n${TOOL_CLOSE}`) }
    : { before: '""', after: '""' };
  const grammar = toolCallGrammar(tools, frame, profile.jsonBounds);
  const shape: ToolShape = { mode: marked ? 'marked' : 'bare', loose: false, types: toolTypes(tools) };
  if (template.showsTools) return { definitions, grammar, shape, inWords: !marked };
  if (profile.readsInstructions === false) return { grammar, shape, inWords: true };
  const instruction = `Call a function. Answer with JSON: {"name": …, "arguments": …}. Functions: ${stringifyExact(tools.map(tool => tool.definition['function']))}`;
  return { instruction, grammar, shape, inWords: true };
}

function toolList(value: unknown): readonly Tool[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > TOOLS_MAX)
    throw invalid('tools', `must be a list of at most ${TOOLS_MAX}`, `必须是最多 ${TOOLS_MAX} 项的列表`);
  return value.map((definition: unknown, index) => {
    const path = `tools.${index}`;
    const called = isObject(definition) && definition['type'] === 'function' ? definition['function'] : undefined;
    if (!isObject(definition) || !isObject(called)) throw invalid(path, 'must be a function', '必须是函数');
    const { name, parameters } = called;
    if (typeof name !== 'string' || !/^[a-zA-Z0-9_.-]{1,64}$/.test(name))
      throw invalid(
        `${path}.function.name`,
        'must be 1 to 64 letters, digits, _, . or -',
        '必须是 1 到 64 个字母、数字、_、. 或 -',
      );
    return {
      name,
      parameters: parameters ?? { type: 'object', additionalProperties: false },
      path: `${path}.function.parameters`,
      definition,
    };
  });
}
