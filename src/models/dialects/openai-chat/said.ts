import type { JsonValue } from '../codec.ts';
import { isArray, isObject } from '../json.ts';

/** What is read of a delta of a stream, or of the message of a whole answer. */
export interface Said {
  readonly content?: JsonValue | undefined;
  readonly refusal?: JsonValue | undefined;
  readonly reasoning_content?: JsonValue | undefined;
  readonly reasoning?: JsonValue | undefined;
  readonly reasoning_details?: JsonValue | undefined;
  readonly thinking?: JsonValue | undefined;
  readonly tool_calls?: JsonValue | undefined;
  readonly function_call?: JsonValue | undefined;
  readonly audio?: JsonValue | undefined;
}

/** The answer proper. Content is a string, or an array of parts of which some are thinking (Mistral). */
export function textOf(said: Said): string {
  const { content, refusal, audio } = said;
  let text = typeof content === 'string' ? content : isArray(content) ? partsText(content, 'text') : words(content);
  if (typeof refusal === 'string') text += refusal;
  if (isObject(audio) && typeof audio['transcript'] === 'string') text += audio['transcript'];
  return text;
}

/** Reasoning, under any of its names. Hosts that send two names send the same words twice: the first found counts. */
export function reasoningOf(said: Said): string {
  const { reasoning_content, reasoning, reasoning_details, thinking, content } = said;
  if (typeof reasoning_content === 'string' && reasoning_content !== '') return reasoning_content;
  if (typeof reasoning === 'string' && reasoning !== '') return reasoning;
  if (typeof thinking === 'string' && thinking !== '') return thinking;
  if (isArray(reasoning_details)) return partsText(reasoning_details, undefined);
  return isArray(content) ? partsText(content, 'thinking') : '';
}

/** Names and arguments of tool calls; undefined where there is no call, since a call may be without words. */
export function toolTextOf(said: Said): string | undefined {
  const { tool_calls, function_call } = said;
  if (isArray(tool_calls) && tool_calls.length > 0) {
    let text = '';
    for (const call of tool_calls) text += callText(call);
    return text;
  }
  if (isObject(tool_calls)) return callText(tool_calls);
  return isObject(function_call) ? calledText(function_call) : undefined;
}

/** Some hosts leave out the level of `function`. */
function callText(call: JsonValue | undefined): string {
  if (!isObject(call)) return '';
  const { function: called, custom } = call;
  return isObject(called) || isObject(custom) ? calledText(called) + calledText(custom) : calledText(call);
}

function calledText(called: JsonValue | undefined): string {
  if (!isObject(called)) return '';
  const { name, arguments: args, input } = called;
  return string(name) + words(args) + words(input);
}

/** Arguments should be a string that holds JSON; of some hosts they are the JSON itself, which took as many tokens to say. */
function words(value: JsonValue | undefined): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : string(value);
}

/** Text of the parts of one type; every part's where no type is asked. Thinking parts hold parts themselves. */
function partsText(parts: readonly JsonValue[], type: 'text' | 'thinking' | undefined): string {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') text += type === 'thinking' ? '' : part;
    if (!isObject(part)) continue;
    const thinking = part['type'] === 'thinking';
    if (type !== undefined && thinking !== (type === 'thinking')) continue;
    const inner = part['thinking'];
    if (isArray(inner)) text += partsText(inner, undefined);
    else text += string(inner) + string(part['text']) + string(part['summary']) + string(part['refusal']);
  }
  return text;
}

function string(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
