import type { ReportedUsage, StreamEvent } from '../dialects/index.ts';
import type { Usage, UsageSource } from '../journal/index.ts';
import { createTokenEstimate, mergeUsage } from '../metering/index.ts';

/** Longest run of bytes that one token can be taken to say: below it, what was seen is a sure lower bound of tokens. */
const BYTES_PER_TOKEN_MAX = 24;

/** Counts as the answer flows; keeps numbers only, never the answer. */
export interface Meter {
  /** Takes the events of one frame. */
  see(events: readonly StreamEvent[]): void;
  seeUsage(usage: ReportedUsage): void;
  seeText(text: string): void;
  /** Output tokens that have been generated for certain: decides when a hold is used up. Never above the true count. */
  outputSure(): number;
  /** Best count of output tokens so far: what progress records say. */
  outputCounted(): number;
  /** What is charged, by the best source there is. `inputGuess` stands in where the upstream reported nothing. */
  result(inputGuess: number): { readonly usage: Usage; readonly source: UsageSource; readonly estimated: boolean };
  /** Another attempt begins: what the one before it counted or reported is no part of this answer. */
  reset(): void;
}

const NOTHING: Usage = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };

export function createMeter(): Meter {
  let answer = createTokenEstimate();
  let reasoning = createTokenEstimate();
  let reported: ReportedUsage | undefined;
  let deltas = 0;
  let characters = 0;
  const counted = () => Math.max(answer.tokens() + reasoning.tokens(), 0);
  const seeUsage = (usage: ReportedUsage) => {
    reported = reported ? mergeUsage(reported, usage) : usage;
  };
  return {
    see(events) {
      for (const event of events) {
        if (event.type === 'delta') {
          if (event.text === '') continue;
          deltas++;
          characters += event.text.length;
          if (event.kind === 'reasoning') reasoning.add(event.text);
          else answer.add(event.text);
        } else if (event.type === 'usage') seeUsage(event.usage);
      }
    },
    seeUsage,
    seeText: text => {
      characters += text.length;
      answer.add(text);
    },
    outputSure: () => Math.max(deltas, Math.floor(characters / BYTES_PER_TOKEN_MAX), reported?.outputTokens ?? 0),
    outputCounted: () => Math.max(counted(), reported?.outputTokens ?? 0),
    result(inputGuess) {
      if (reported) return { usage: reported, source: 'upstream', estimated: false };
      const outputTokens = counted();
      if (outputTokens === 0) return { usage: NOTHING, source: 'none', estimated: false };
      return {
        usage: { inputTokens: inputGuess, cachedInputTokens: 0, outputTokens, reasoningTokens: reasoning.tokens() },
        source: 'counted',
        estimated: true,
      };
    },
    reset() {
      answer = createTokenEstimate();
      reasoning = createTokenEstimate();
      reported = undefined;
      deltas = 0;
      characters = 0;
    },
  };
}
