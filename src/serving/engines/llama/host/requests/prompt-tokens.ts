import { setImmediate as turn } from 'node:timers/promises';
import type { LlamaModel, Token } from 'node-llama-cpp';
import { Fault } from '../../../../../ground/std/index.ts';
import type { Engine } from '../model/engine.ts';
import { atSeams } from '../templates/control-text.ts';
import { invalid } from './fields.ts';

/** No vocabulary has longer tokens that matter; a text beyond this many characters per token of context never fits. */
const CHARACTERS_PER_TOKEN_MAX = 128;
/** Tokenizing has no end to it but the text's and runs on the thread that serves everyone: 1 to 6 µs a character were read. */
const SLICE_CHARACTERS = 16_384;
/** A slice ends before the last word in its last part, where all tokenizers begin anew. */
const SLICE_END_SEARCHED = 1_024;

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
 * Tokens of a whole prompt; the begin token comes once, whoever puts it. A long one is tokenized in slices, and no further
 * than the context goes.
 * @throws Fault `context_length_exceeded`
 */
export async function tokenizePrompt(
  { model, plan }: Pick<Engine, 'model' | 'plan'>,
  prompt: string,
  options: { readonly special: boolean; readonly param: string },
): Promise<Token[]> {
  const { contextTokens } = plan;
  const { special, param } = options;
  if (prompt.length > contextTokens * CHARACTERS_PER_TOKEN_MAX)
    throw tooLong(`has ${prompt.length} characters`, `有 ${prompt.length} 个字符`, { contextTokens, param });
  const tokens: Token[] = [];
  for (const [index, slice] of atSeams(prompt).flatMap(slices).entries()) {
    if (index > 0) await turn();
    append(tokens, model.tokenize(slice, special, index === 0 ? undefined : 'trimLeadingSpace'));
    if (tokens.length > contextTokens)
      throw tooLong(`has over ${contextTokens} tokens`, `超过 ${contextTokens} 个词元`, { contextTokens, param });
  }
  return withBegin(model, tokens);
}

/** Not by spreading, which a long list would overflow the stack with. */
function append(tokens: Token[], more: readonly Token[]): void {
  for (const token of more) tokens.push(token);
}

function withBegin(model: LlamaModel, tokens: Token[]): Token[] {
  const { bos, shouldPrependBosToken } = model.tokens;
  return shouldPrependBosToken && bos !== null && tokens[0] !== bos ? [bos, ...tokens] : tokens;
}

function slices(text: string): readonly string[] {
  const out: string[] = [];
  let from = 0;
  while (text.length - from > SLICE_CHARACTERS) {
    const end = sliceEnd(text, from + SLICE_CHARACTERS);
    out.push(text.slice(from, end));
    from = end;
  }
  out.push(text.slice(from));
  return out;
}

function sliceEnd(text: string, end: number): number {
  for (let at = end; at > end - SLICE_END_SEARCHED; at -= 1)
    if (/\s/.test(text[at] ?? '') && !/\s/.test(text[at - 1] ?? ' ')) return at;
  // Never between the halves of one character.
  return /[\uDC00-\uDFFF]/.test(text[end] ?? '') ? end - 1 : end;
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
export async function parseTexts(
  value: unknown,
  engine: Engine,
  options: { readonly param: string; readonly countMax: number; readonly special: boolean },
): Promise<Token[][]> {
  const { param, countMax, special } = options;
  const list: readonly unknown[] = Array.isArray(value) && typeof value[0] !== 'number' ? value : [value];
  if (list.length === 0 || list.length > countMax)
    throw invalid(param, `must be 1 to ${countMax} texts`, `必须是 1 到 ${countMax} 段文本`);
  const texts: Token[][] = [];
  for (const each of list) {
    const tokens =
      typeof each === 'string' ? await tokenizePrompt(engine, each, { special, param }) : tokenIds(each, engine, param);
    if (tokens.length === 0) throw invalid(param, 'must not be empty', '不能为空');
    texts.push(tokens);
  }
  return texts;
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
