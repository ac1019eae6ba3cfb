import type { Usage, UsageSource } from '../../ground/journal/index.ts';

/** What an upstream said that it used, range-checked; absent: not said. */
export interface UsageReport {
  readonly inputTokens?: number;
  readonly cachedInputTokens: number;
  readonly outputTokens?: number;
  readonly reasoningTokens: number;
  /** Only where it says more than the others together, or one of them is absent. */
  readonly totalTokens?: number;
}

/** What is known besides the report. */
export interface Evidence {
  /** Undefined: the upstream said nothing. */
  readonly report: UsageReport | undefined;
  /** Own count of the output, and how much of it is reasoning; see {@link TokenCount}. */
  readonly counted: number;
  readonly countedReasoning: number;
  /** What the true count of what was seen is hardly below. */
  readonly countedAtLeast: number;
  /** Something was said after the last report. */
  readonly isStale: boolean;
  /** The answer came to its end. */
  readonly isWhole: boolean;
}

/** What a request may come to: what was asked, as far as it was asked. */
export interface UsageBounds {
  /** Likely and greatest count of input tokens. */
  readonly inputTokensGuess: number;
  readonly inputTokensMax: number;
  /** Over all choices; 0 where there is nothing but input. */
  readonly outputTokensMax: number;
  /** The vendor counts thinking in the total alone. */
  readonly thinkingInTotal: boolean;
}

export interface Judged {
  readonly usage: Usage;
  readonly source: UsageSource;
  readonly estimated: boolean;
  /** What the upstream reported beyond `usage`, which nobody is charged for. */
  readonly disputed: { readonly inputTokens: number; readonly outputTokens: number };
  /** Input and output as the client is told: never less than the upstream told, within what could be. */
  readonly totalTokens: number;
}

/**
 * A report is evidence, not truth. It is bounded from below by what was seen to go out, where the answer did not end or went on after
 * the report, and where the report says nothing at all; from above by what was asked. What it claims beyond is in dispute.
 */
export function judgeUsage(evidence: Evidence, bounds: UsageBounds): Judged {
  const { report } = evidence;
  const input = inputOf(report, bounds);
  const output = outputOf(evidence, bounds);
  const usage = {
    inputTokens: input.tokens,
    cachedInputTokens: Math.min(report?.cachedInputTokens ?? 0, input.tokens),
    outputTokens: output.tokens,
    reasoningTokens: Math.min(output.reasoning, output.tokens),
  };
  const most = bounds.inputTokensMax + bounds.outputTokensMax;
  return {
    usage,
    source: input.reported && output.reported ? 'upstream' : 'counted',
    estimated: !(input.exact && output.exact),
    disputed: { inputTokens: input.disputed, outputTokens: output.disputed },
    totalTokens: Math.max(usage.inputTokens + usage.outputTokens, Math.min(report?.totalTokens ?? 0, most)),
  };
}

interface Part {
  readonly tokens: number;
  readonly disputed: number;
  readonly reported: boolean;
  /** As the upstream reported it, or nothing more. */
  readonly exact: boolean;
}

/** Largest count that is rated, and so can be in dispute. */
const CLAIM_MAX = 1_000_000_000;

/** There is no request without input: a report of none says that nobody counted. */
function inputOf(
  report: UsageReport | undefined,
  { inputTokensGuess, inputTokensMax, outputTokensMax }: UsageBounds,
): Part {
  if (report?.inputTokens) return within(report.inputTokens, inputTokensMax, true);
  // Where there is nothing but input, the total is the input: but that was not said.
  const total = outputTokensMax === 0 ? report?.totalTokens : undefined;
  if (total) return { ...within(total, inputTokensMax, true), exact: false };
  return { ...within(inputTokensGuess, inputTokensMax, false), disputed: 0 };
}

function outputOf(evidence: Evidence, bounds: UsageBounds): Part & { readonly reasoning: number } {
  const { report, counted, countedReasoning, countedAtLeast, isStale, isWhole } = evidence;
  const { outputTokensMax, thinkingInTotal } = bounds;
  if (outputTokensMax === 0) {
    return { tokens: 0, disputed: report?.outputTokens ?? 0, reported: true, exact: true, reasoning: 0 };
  }
  // A report of none beside words, like none at all, says that nobody counted.
  const said = report?.outputTokens === 0 && counted > 0 ? undefined : report?.outputTokens;
  const least = said === undefined || isStale ? counted : isWhole ? 0 : countedAtLeast;
  const spoken = Math.max(said ?? 0, least);
  const reported = spoken === said;
  const hidden = Math.max(0, report?.inputTokens ? (report.totalTokens ?? 0) - report.inputTokens - spoken : 0);
  const thought = thinkingInTotal ? hidden : 0;
  const reasoning = Math.max((report?.reasoningTokens ?? 0) + thought, reported ? 0 : countedReasoning);
  const tokens = Math.min(spoken + thought, outputTokensMax);
  // What only we counted is nobody's claim.
  const disputed = Math.max(0, Math.min(CLAIM_MAX, (said ?? 0) + hidden) - tokens);
  return { tokens, disputed, reported, exact: reported, reasoning };
}

function within(tokens: number, most: number, reported: boolean): Part {
  return { tokens: Math.min(tokens, most), disputed: Math.max(0, tokens - most), reported, exact: reported };
}
