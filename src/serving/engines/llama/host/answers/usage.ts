import type { Generated } from './generate.ts';

/** `usage` as OpenAI's API has it. */
export function usageOf(prompts: readonly (readonly Generated[])[]): object {
  let promptTokens = 0;
  let cachedTokens = 0;
  let completionTokens = 0;
  let reasoningTokens = 0;
  for (const choices of prompts) {
    promptTokens += choices[0]?.promptTokens ?? 0;
    // Choices share one prompt: what any of them had to evaluate was not cached.
    cachedTokens += Math.min(...choices.map(choice => choice.cachedTokens));
    for (const choice of choices) {
      completionTokens += choice.completionTokens;
      reasoningTokens += choice.reasoningTokens;
    }
  }
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}
