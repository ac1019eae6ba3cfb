import type { LlamaModel, Token } from 'node-llama-cpp';
import type { TokenLogprob } from './generate.ts';

/** A token as text, with its bytes; null where it is part of a character only. */
function shown(model: LlamaModel, token: Token): { readonly token: string; readonly bytes: readonly number[] | null } {
  const text = model.detokenize([token], true);
  return { token: text, bytes: text.includes('\uFFFD') ? null : [...Buffer.from(text)] };
}

/** `logprobs.content` of a chat choice. */
export function chatLogprobs(model: LlamaModel, tokens: readonly TokenLogprob[]): readonly object[] {
  return tokens.map(({ token, logprob, top }) => ({
    ...shown(model, token),
    logprob,
    top_logprobs: top.map(([other, value]) => ({ ...shown(model, other), logprob: value })),
  }));
}

/** `logprobs` of a text completion; `offset` is where its text begins in the whole answer. */
export function completionLogprobs(model: LlamaModel, tokens: readonly TokenLogprob[], offset: number): object {
  let at = offset;
  const text_offset: number[] = [];
  const texts = tokens.map(({ token }) => shown(model, token).token);
  for (const text of texts) {
    text_offset.push(at);
    at += text.length;
  }
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ top }) =>
      Object.fromEntries(top.map(([token, value]) => [shown(model, token).token, value])),
    ),
    text_offset,
  };
}
