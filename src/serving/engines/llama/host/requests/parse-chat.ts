import type { LlamaGrammar, Token } from 'node-llama-cpp';
import type { JsonBounds } from '../grammar/gbnf.ts';
import { jsonObjectGrammar, jsonSchemaGrammar } from '../grammar/json-schema-grammar.ts';
import type { Engine, Generator } from '../model/engine.ts';
import type { AnswerShape } from '../templates/answer-text.ts';
import { CHATML_END } from '../templates/chat-template.ts';
import { THINK_OPEN } from '../templates/marked-text.ts';
import { type Fields, invalid, isObject, type Json } from './fields.ts';
import { parseMessages } from './parse-messages.ts';
import { type GenerationFields, parseGenerationFields } from './parse-sampling.ts';
import { parseTools, type ToolPlan } from './parse-tools.ts';
import { checkContext, tokenizePrompt } from './prompt-tokens.ts';
import { toolsInWords, withInstruction, withoutSystem } from './tools-in-words.ts';

export interface ChatRequest extends GenerationFields {
  readonly promptTokens: readonly Token[];
  readonly shape: AnswerShape;
  readonly grammar?: LlamaGrammar;
  readonly logprobs?: number;
  /** What was asked of tools and had no effect. */
  readonly toolsUnused?: string;
}

/** Would change the answer, and cannot be done by a text model with this engine. */
const UNSUPPORTED = ['functions', 'function_call', 'audio', 'prediction', 'web_search_options', 'verbosity'];
const TOP_LOGPROBS_MAX = 20;
/** Names that a caller may not put into a template's hands. */
const TEMPLATE_OWN = new Set(['messages', 'tools', 'add_generation_prompt', 'bos_token', 'eos_token']);

/**
 * Everything about a chat request that can be wrong is found here, before any token is evaluated.
 * @throws Fault `invalid_parameter` or `context_length_exceeded`
 */
export async function parseChat(
  engine: Engine & { readonly generator: Generator },
  fields: Fields,
): Promise<ChatRequest> {
  const { generator, profile, summary } = engine;
  fields.refuse(UNSUPPORTED);
  checkModalities(fields);
  const common = parseGenerationFields(fields, profile.sampling, summary.vocabularySize);
  const messages = parseMessages(fields);
  const tools = parseTools(fields, generator.template, profile);
  const thinking = parseThinking(fields) ?? profile.thinking;
  const gbnf = responseGrammar(fields, tools, profile.jsonBounds);
  if (gbnf !== undefined && common.sampling.ignoreEnd)
    throw invalid('ignore_eos', 'does not go with a format that has an end', '不能与有结尾的格式同时使用');
  const logprobs = parseLogprobs(fields);
  const prompt = renderPrompt(engine, fields, { messages, tools, thinking });
  const promptTokens = await tokenizePrompt(engine, prompt, { special: true, param: 'messages' });
  checkContext(promptTokens.length, engine.plan.contextTokens, 'messages');
  const stops = generator.template.source === 'chatml' ? [...common.stops, CHATML_END] : common.stops;
  const opened = prompt.trimEnd().endsWith(THINK_OPEN);
  return {
    ...common,
    promptTokens,
    shape: { thinking: opened ? 'open' : 'closed', tools: tools.shape, stops },
    ...(gbnf === undefined ? {} : { grammar: await compileGrammar(engine, gbnf) }),
    ...(logprobs === undefined ? {} : { logprobs }),
    ...(tools.unused === undefined ? {} : { toolsUnused: tools.unused }),
  };
}

function checkModalities(fields: Fields): void {
  const modalities = fields.value('modalities');
  if (modalities === undefined) return;
  if (!Array.isArray(modalities) || modalities.some(each => each !== 'text'))
    throw invalid('modalities', 'must be ["text"]', '必须是 ["text"]');
}

/** The several ways in which clients of today ask for thinking; undefined where none is used. */
function parseThinking(fields: Fields): boolean | undefined {
  const effort = fields.string('reasoning_effort');
  const kind = fields.object('thinking')?.['type'];
  const own = fields.boolean('enable_thinking');
  const kwargs = fields.object('chat_template_kwargs');
  for (const name of ['enable_thinking', 'thinking']) {
    const value = kwargs?.[name];
    if (typeof value === 'boolean') return value;
  }
  if (own !== undefined) return own;
  if (kind !== undefined) {
    if (kind !== 'enabled' && kind !== 'disabled')
      throw invalid('thinking.type', 'must be enabled or disabled', '必须是 enabled 或 disabled');
    return kind === 'enabled';
  }
  return effort === undefined ? undefined : effort !== 'none';
}

function parseLogprobs(fields: Fields): number | undefined {
  const wanted = fields.boolean('logprobs');
  const top = fields.integer('top_logprobs', { min: 0, max: TOP_LOGPROBS_MAX });
  if (top !== undefined && wanted !== true)
    throw invalid('top_logprobs', 'needs logprobs: true', '需要同时设置 logprobs: true');
  return wanted === true ? (top ?? 0) : undefined;
}

function responseGrammar(fields: Fields, tools: ToolPlan, bounds: JsonBounds | undefined): string | undefined {
  const format = fields.object('response_format');
  const type = format?.['type'] ?? 'text';
  if (type === 'text') return tools.grammar;
  if (tools.shape !== undefined)
    throw invalid('response_format', 'does not go with tools here', '在此不能与 tools 同时使用');
  if (type === 'json_object') return jsonObjectGrammar(bounds);
  if (type !== 'json_schema')
    throw invalid(
      'response_format.type',
      'must be text, json_object or json_schema',
      '必须是 text、json_object 或 json_schema',
    );
  const named = format?.['json_schema'];
  if (!isObject(named) || named['schema'] === undefined)
    throw invalid('response_format.json_schema.schema', 'is missing', '缺失');
  return jsonSchemaGrammar(named['schema'], 'response_format.json_schema.schema', bounds);
}

async function compileGrammar({ llama }: Engine, grammar: string): Promise<LlamaGrammar> {
  try {
    return await llama.createGrammar({ grammar });
  } catch {
    // What our own builder wrote parses, unless the schema refers to itself without end.
    throw invalid('response_format', 'has a schema that no finite value meets', '的 schema 没有有限的值可以满足');
  }
}

function renderPrompt(
  { generator, profile }: Engine & { readonly generator: Generator },
  fields: Fields,
  wish: { readonly messages: readonly Json[]; readonly tools: ToolPlan; readonly thinking: boolean | undefined },
): string {
  const { messages, tools, thinking } = wish;
  const told = tools.inWords === true ? toolsInWords(messages) : messages;
  const instructed = tools.instruction === undefined ? told : withInstruction(told, tools.instruction);
  const effort = fields.string('reasoning_effort');
  const kwargs = Object.entries(fields.object('chat_template_kwargs') ?? {}).filter(
    ([name]) => !TEMPLATE_OWN.has(name),
  );
  const render = (all: readonly Json[]) =>
    generator.template.render({
      messages: all,
      ...(tools.definitions === undefined ? {} : { tools: tools.definitions }),
      ...(thinking === undefined ? {} : { thinking }),
      more: { ...(effort === undefined ? {} : { reasoning_effort: effort }), ...Object.fromEntries(kwargs) },
    });
  const prompt = tools.instruction === undefined ? render(instructed) : renderEither(render, instructed);
  const opened = prompt.trimEnd().endsWith(THINK_OPEN);
  if (thinking === false && opened)
    throw invalid('enable_thinking', 'cannot be turned off: this model always thinks', '无法关闭：此模型始终会思考');
  return thinking === true && !opened ? prompt + (profile.thinkingOpening ?? '') : prompt;
}

/** The instruction is ours: a template that takes no system message must not refuse the caller for it. */
function renderEither(render: (messages: readonly Json[]) => string, messages: readonly Json[]): string {
  try {
    return render(messages);
  } catch (error) {
    const merged = withoutSystem(messages);
    if (merged === messages) throw error;
    return render(merged);
  }
}
