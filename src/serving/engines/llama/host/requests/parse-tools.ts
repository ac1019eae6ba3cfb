import { literal } from '../grammar/gbnf.ts';
import { toolCallGrammar } from '../grammar/json-schema-grammar.ts';
import type { ModelProfile } from '../model/profiles.ts';
import type { ChatTemplate } from '../templates/chat-template.ts';
import { TOOL_CLOSE, TOOL_OPEN } from '../templates/tool-text.ts';
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
  /** Put before the conversation where the template knows no tools. */
  readonly instruction?: string;
  /** GBNF that forces one call. */
  readonly grammar?: string;
  readonly text: 'none' | 'marked' | 'bare';
}

type ToolProfile = Pick<ModelProfile, 'jsonBounds' | 'readsInstructions'>;

const NO_TOOLS: ToolPlan = { text: 'none' };

/**
 * `required` and a named function are kept by a grammar, with any model. `auto` leaves the choice to the model and so
 * needs one whose template taught it a notation that can be told from text; with others it is refused, not ignored.
 * @throws Fault `invalid_parameter`
 */
export function parseTools(fields: Fields, template: ChatTemplate, profile: ToolProfile = {}): ToolPlan {
  fields.accept(['parallel_tool_calls']);
  const tools = toolList(fields.value('tools'));
  const choice = fields.value('tool_choice') ?? (tools.length === 0 ? 'none' : 'auto');
  if (choice === 'none') return NO_TOOLS;
  if (tools.length === 0) throw invalid('tool_choice', 'needs tools', '需要同时提供 tools');
  if (choice === 'auto') {
    if (template.marksToolCalls) return { definitions: tools.map(tool => tool.definition), text: 'marked' };
    throw invalid(
      'tool_choice',
      'cannot be auto: this model did not learn to choose tools. Use required, or name a function',
      '不能为 auto：此模型没有学过自行选择工具。请使用 required 或指定函数',
    );
  }
  const chosen = choice === 'required' ? tools : tools.filter(tool => tool.name === functionName(choice));
  if (chosen.length === 0)
    throw invalid(
      'tool_choice',
      'must be none, auto, required or one of the tools',
      '必须是 none、auto、required 或 tools 中的一个',
    );
  return forcedCall(chosen, template, profile);
}

function functionName(choice: unknown): unknown {
  const named = isObject(choice) && choice['type'] === 'function' ? choice['function'] : undefined;
  return isObject(named) ? named['name'] : undefined;
}

function forcedCall(tools: readonly Tool[], template: ChatTemplate, profile: ToolProfile): ToolPlan {
  const definitions = tools.map(tool => tool.definition);
  const frame = template.marksToolCalls
    ? { before: literal(`${TOOL_OPEN}\n`), after: literal(`\n${TOOL_CLOSE}`) }
    : { before: '""', after: '""' };
  const grammar = toolCallGrammar(tools, frame, profile.jsonBounds);
  const text = template.marksToolCalls ? 'marked' : 'bare';
  if (template.showsTools) return { definitions, grammar, text };
  if (profile.readsInstructions === false) return { grammar, text };
  const instruction = `Call a function. Answer with JSON: {"name": …, "arguments": …}. Functions: ${JSON.stringify(tools.map(tool => tool.definition['function']))}`;
  return { instruction, grammar, text };
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
