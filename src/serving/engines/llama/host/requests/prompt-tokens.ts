import type { Token } from 'node-llama-cpp';
import { Fault } from '../../../../../ground/std/index.ts';
import type { Engine } from '../model/engine.ts';
import { invalid } from './fields.ts';

/** No vocabulary has longer tokens that matter; a text beyond this many characters per token of context never fits. */
const CHARACTERS_PER_TOKEN_MAX = 128;

/** @throws Fault `context_length_exceeded` where no room is left for an answer. Asked before any work. */
export function checkContext(promptTokens: number, contextTokens: number, param: string): void {
  if (promptTokens < contextTokens) return;
  throw tooLong(`has ${promptTokens} tokens`, `有 ${promptTokens} 个词元`, { contextTokens, param });
}

function tooLong(
  what: string,
  whatZh: string,
  { contextTokens, param }: { contextTokens: number; param: string },
): Fault {
  return new Fault('context_length_exceeded', {
    message: `the input ${what}; this model takes ${contextTokens} in all, the answer included`,
    messageZh: `输入${whatZh}；此模型连同回答一共最多 ${contextTokens} 个`,
    param,
  });
}

/**
 * Tokens of a whole prompt; the begin token comes once, whoever puts it.
 * @throws Fault `context_length_exceeded` without tokenizing where the text is far too long: that alone would take seconds
 */
export function tokenizePrompt(
  { model, plan }: Engine,
  prompt: string,
  options: { readonly special: boolean; readonly param: string },
): Token[] {
  if (prompt.length > plan.contextTokens * CHARACTERS_PER_TOKEN_MAX)
    throw tooLong(`has ${prompt.length} characters`, `有 ${prompt.length} 个字符`, {
      contextTokens: plan.contextTokens,
      param: options.param,
    });
  const tokens = model.tokenize(prompt, options.special);
  const { bos, shouldPrependBosToken } = model.tokens;
  return shouldPrependBosToken && bos !== null && tokens[0] !== bos ? [bos, ...tokens] : tokens;
}

/** Token ids that were range-checked, as the engine's own type. */
export function asTokens(ids: readonly number[]): Token[] {
  // The brand exists in types alone; there is no function that gives it.
  return ids as Token[];
}

/**
 * `prompt` or `input` as OpenAI's API has them: a text, a list of texts, a list of token ids, or a list of such lists.
 * @throws Fault `invalid_parameter`, `context_length_exceeded`
 */
export function parseTexts(
  value: unknown,
  engine: Engine,
  options: { readonly param: string; readonly countMax: number },
): Token[][] {
  const { param, countMax } = options;
  const list = Array.isArray(value) && typeof value[0] !== 'number' ? value : [value];
  if (list.length === 0 || list.length > countMax)
    throw invalid(param, `must be 1 to ${countMax} texts`, `必须是 1 到 ${countMax} 段文本`);
  return list.map((each: unknown) => {
    const tokens =
      typeof each === 'string' ? tokenizePrompt(engine, each, { special: true, param }) : tokenIds(each, engine, param);
    if (tokens.length === 0) throw invalid(param, 'must not be empty', '不能为空');
    return tokens;
  });
}

function tokenIds(value: unknown, { summary }: Engine, param: string): Token[] {
  if (!Array.isArray(value)) throw invalid(param, 'must be text or token ids', '必须是文本或词元编号');
  const ids = value.map((id: unknown) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < summary.vocabularySize) return id;
    throw invalid(
      param,
      `holds a token that this model has not (0 to ${summary.vocabularySize - 1})`,
      `含有此模型没有的词元（0 到 ${summary.vocabularySize - 1}）`,
    );
  });
  return asTokens(ids);
}
