import { NO_USAGE, type Usage, type UsageSource } from '../../ground/journal/index.ts';
import type { ReportedUsage, StreamEvent } from '../../models/dialects/index.ts';
import { createTokenEstimate, type TokenEstimate } from '../../money/metering/index.ts';
import { mergeUsage } from '../../money/pricing/index.ts';

/** Longest run of bytes that one token can be taken to say: below it, what was seen is a sure lower bound of tokens. */
const BYTES_PER_TOKEN_MAX = 24;

export interface Metered {
  readonly usage: Usage;
  readonly source: UsageSource;
  readonly estimated: boolean;
}

export const NOTHING_METERED: Metered = { usage: NO_USAGE, source: 'none', estimated: false };

/** Counts as the answer flows; keeps numbers only, never the answer. */
export class Meter {
  private answer: TokenEstimate | undefined = undefined;
  private reasoning: TokenEstimate | undefined = undefined;
  private reported: ReportedUsage | undefined = undefined;
  private deltas = 0;
  private characters = 0;

  /** Takes the events of one frame. */
  see(events: readonly StreamEvent[]): void {
    for (const event of events) {
      if (event.type === 'delta') {
        if (event.text === '') continue;
        this.deltas++;
        this.characters += event.text.length;
        this.estimate(event.kind === 'reasoning').add(event.text);
      } else if (event.type === 'usage') this.seeUsage(event.usage);
    }
  }

  seeUsage(usage: ReportedUsage): void {
    this.reported = this.reported ? mergeUsage(this.reported, usage) : usage;
  }

  /** What the upstream said so far; undefined where it said nothing. */
  reportedUsage(): ReportedUsage | undefined {
    return this.reported;
  }

  seeText(text: string): void {
    this.characters += text.length;
    this.estimate(false).add(text);
  }

  /** Output tokens that have been generated for certain: decides when a hold is used up. Never above the true count. */
  outputSure(): number {
    return Math.max(this.deltas, Math.floor(this.characters / BYTES_PER_TOKEN_MAX), this.reported?.outputTokens ?? 0);
  }

  /** Best count of output tokens so far: what progress records say. */
  outputCounted(): number {
    return Math.max(this.counted(), this.reported?.outputTokens ?? 0);
  }

  /** What is charged, by the best source there is. `inputGuess` stands in where the upstream reported nothing. */
  result(inputGuess: number): Metered {
    if (this.reported) return { usage: this.reported, source: 'upstream', estimated: false };
    const outputTokens = this.counted();
    if (outputTokens === 0) return NOTHING_METERED;
    const reasoningTokens = this.reasoning?.tokens() ?? 0;
    return {
      usage: { inputTokens: inputGuess, cachedInputTokens: 0, outputTokens, reasoningTokens },
      source: 'counted',
      estimated: true,
    };
  }

  /** Another attempt begins: what the one before it counted or reported is no part of this answer. */
  reset(): void {
    this.answer = undefined;
    this.reasoning = undefined;
    this.reported = undefined;
    this.deltas = 0;
    this.characters = 0;
  }

  private estimate(reasoning: boolean): TokenEstimate {
    if (!reasoning) {
      this.answer ??= createTokenEstimate();
      return this.answer;
    }
    this.reasoning ??= createTokenEstimate();
    return this.reasoning;
  }

  private counted(): number {
    return (this.answer?.tokens() ?? 0) + (this.reasoning?.tokens() ?? 0);
  }
}
