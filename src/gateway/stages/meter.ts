import { NO_USAGE, type Usage, type UsageSource } from '../../ground/journal/index.ts';
import type { ReportedUsage, StreamEvent } from '../../models/dialects/index.ts';
import {
  type Calibration,
  type Judged,
  judgeUsage,
  type Sample,
  TokenCount,
  UNCALIBRATED,
  type UsageBounds,
} from '../../money/metering/index.ts';

export interface Metered {
  readonly usage: Usage;
  readonly source: UsageSource;
  readonly estimated: boolean;
}

export const NOTHING_METERED: Metered = { usage: NO_USAGE, source: 'none', estimated: false };

const NOTHING_JUDGED: Judged = { ...NOTHING_METERED, disputed: { inputTokens: 0, outputTokens: 0 }, totalTokens: 0 };

/** What an answer may come to, whoever gives it. */
export type AnswerBounds = Omit<UsageBounds, 'thinkingInTotal'>;

/** How the deployment of an attempt counts. */
export interface Counting {
  readonly calibration: Calibration;
  readonly thinkingInTotal: boolean;
}

const PLAIN: Counting = { calibration: UNCALIBRATED, thinkingInTotal: false };

/**
 * Counts as the answer flows; keeps numbers only, never the answer. One count for all: what a stream is cut by, what progress records
 * say, and what is charged where no report can be believed.
 */
export class Meter {
  private readonly bounds: AnswerBounds;
  private counting: Counting = PLAIN;
  private readonly spoken = new TokenCount();
  private reasoning: TokenCount | undefined = undefined;
  private report: ReportedUsage | undefined = undefined;
  private stale = false;
  private whole = false;
  private marked: Mark | undefined = undefined;
  private lost: Lost | undefined = undefined;
  private judged: Judged | undefined = undefined;

  constructor(bounds: AnswerBounds) {
    this.bounds = bounds;
  }

  /** An attempt begins: what the one before it counted or reported is no part of this answer. */
  begin(counting: Counting): void {
    this.counting = counting;
    this.spoken.clear();
    this.reasoning = undefined;
    this.report = undefined;
    this.stale = false;
    this.whole = false;
    this.lost = undefined;
    this.judged = undefined;
  }

  /** Takes the events of one frame. */
  see(events: readonly StreamEvent[]): void {
    this.judged = undefined;
    for (const event of events) {
      if (event.type === 'delta') {
        if (event.text === '') continue;
        this.stale = true;
        if (event.kind === 'reasoning') {
          this.reasoning ??= new TokenCount();
          this.reasoning.addPiece(event.text);
        } else this.spoken.addPiece(event.text);
      } else if (event.type === 'usage') this.seeUsage(event.usage);
    }
  }

  /** All that was reported so far. */
  seeUsage(usage: ReportedUsage): void {
    this.report = usage;
    this.stale = false;
    this.judged = undefined;
  }

  /** Of an answer that came in one piece. */
  seeText(text: string): void {
    this.spoken.addText(text);
    this.judged = undefined;
  }

  /** The answer came to its end. */
  seeEnd(): void {
    this.whole = true;
    this.judged = undefined;
  }

  /** Remembers what was seen so far, for {@link rewind}. */
  mark(): void {
    this.marked ??= { spoken: new TokenCount(), reasoning: new TokenCount(), report: undefined, stale: false };
    this.marked.spoken.copyFrom(this.spoken);
    if (this.reasoning) this.marked.reasoning.copyFrom(this.reasoning);
    else this.marked.reasoning.clear();
    this.marked.report = this.report;
    this.marked.stale = this.stale;
  }

  /** As though nothing had been seen since {@link mark}: it did not go out. */
  rewind(): void {
    if (!this.marked) return;
    this.spoken.copyFrom(this.marked.spoken);
    this.reasoning?.copyFrom(this.marked.reasoning);
    this.report = this.marked.report;
    this.stale = this.marked.stale;
    this.judged = undefined;
  }

  /** What was made and paid for, and does not go out: it counts for what the attempt cost, not for what is charged. */
  lose(events: readonly StreamEvent[]): void {
    this.lost ??= { count: new TokenCount(), report: undefined };
    for (const event of events) {
      if (event.type === 'delta') this.lost.count.addPiece(event.text);
      else if (event.type === 'usage') this.lost.report = event.usage;
    }
  }

  /** Output tokens so far, within what may be charged. */
  output(): number {
    return Math.min(Math.max(this.counted(), this.report?.outputTokens ?? 0), this.bounds.outputTokensMax);
  }

  /** What the count of output tokens is hardly below, beyond all bounds. */
  outputAtLeast(): number {
    const { calibration } = this.counting;
    return this.spoken.tokensAtLeast(calibration) + (this.reasoning?.tokensAtLeast(calibration) ?? 0);
  }

  /** What is charged: what went out, by the best evidence there is. */
  result(): Judged {
    this.judged ??= this.saidNothing() ? NOTHING_JUDGED : this.judge(0, this.report);
    return this.judged;
  }

  /**
   * What the attempt cost: all that was made, by the best evidence there is. `onlyReported`: of what failed before anything of it went
   * out, only its upstream can say.
   */
  cost(onlyReported = false): Pick<Judged, 'usage' | 'disputed'> {
    const { lost } = this;
    if (onlyReported && !this.report) return NOTHING_JUDGED;
    return lost ? this.judge(lost.count.tokens(this.counting.calibration), lost.report ?? this.report) : this.result();
  }

  /** What an answer that ended well teaches of its vendor's way of counting; undefined: nothing. */
  sample(): Sample | undefined {
    const { report, spoken, reasoning } = this;
    if (!this.whole || this.stale || !report?.outputTokens) return undefined;
    // Thinking that was not shown was not counted here.
    const reported = report.outputTokens - (reasoning ? 0 : report.reasoningTokens);
    return {
      reported,
      byText: spoken.byText() + (reasoning?.byText() ?? 0),
      byPieces: spoken.byPieces() + (reasoning?.byPieces() ?? 0),
    };
  }

  /** Output that the upstream reported and nobody saw: thinking that is not shown. */
  hidden(): number {
    return Math.max(0, (this.report?.outputTokens ?? 0) - this.counted());
  }

  /** It ended before anything was said: nothing is known of any work. */
  private saidNothing(): boolean {
    return !this.whole && !this.report && this.counted() === 0;
  }

  private judge(lostTokens: number, report: ReportedUsage | undefined): Judged {
    const { calibration } = this.counting;
    return judgeUsage(
      {
        report,
        counted: this.counted() + lostTokens,
        countedReasoning: this.reasoning?.tokens(calibration) ?? 0,
        countedAtLeast: this.outputAtLeast(),
        isStale: report === this.report && this.stale,
        isWhole: this.whole,
      },
      { ...this.bounds, ...this.counting },
    );
  }

  private counted(): number {
    const { calibration } = this.counting;
    return this.spoken.tokens(calibration) + (this.reasoning?.tokens(calibration) ?? 0);
  }
}

interface Mark {
  readonly spoken: TokenCount;
  readonly reasoning: TokenCount;
  report: ReportedUsage | undefined;
  stale: boolean;
}

interface Lost {
  readonly count: TokenCount;
  report: ReportedUsage | undefined;
}
