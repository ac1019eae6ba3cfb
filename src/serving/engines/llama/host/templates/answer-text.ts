import { StopText, ThinkText } from './marked-text.ts';
import type { ToolCall } from './tool-notation.ts';
import { type ToolShape, ToolText } from './tool-text.ts';

export interface AnswerPiece {
  readonly reasoning: string;
  readonly content: string;
  readonly calls: readonly ToolCall[];
}

export interface AnswerShape {
  /** Whether thinking is parted from the answer; `open`: the prompt already ended inside of it. */
  readonly thinking: 'none' | 'closed' | 'open';
  /** Undefined: none are looked for. */
  readonly tools: ToolShape | undefined;
  readonly stops: readonly string[];
}

/** Text of one answer on its way out: thinking, then stop strings, then function calls. Stop strings do not end thinking. */
export class AnswerText {
  private readonly think: ThinkText | undefined;
  private readonly stop: StopText;
  private readonly tool: ToolText | undefined;

  constructor(shape: AnswerShape) {
    this.think = shape.thinking === 'none' ? undefined : new ThinkText(shape.thinking === 'open');
    this.stop = new StopText(shape.stops);
    this.tool = shape.tools === undefined ? undefined : new ToolText(shape.tools);
  }

  get thinking(): boolean {
    return this.think?.thinking ?? false;
  }

  get answering(): boolean {
    return this.think?.answering ?? true;
  }

  get stopped(): boolean {
    return this.stop.stopped;
  }

  push(text: string): AnswerPiece {
    const { reasoning, content } = this.think?.push(text) ?? { reasoning: '', content: text };
    return { reasoning, ...this.called(this.stop.push(content)) };
  }

  end(): AnswerPiece {
    const { reasoning, content } = this.think?.end() ?? { reasoning: '', content: '' };
    const text = this.stop.push(content) + this.stop.end();
    const pushed = this.called(text);
    const ended = this.tool?.end() ?? { content: '', calls: [] };
    return { reasoning, content: pushed.content + ended.content, calls: [...pushed.calls, ...ended.calls] };
  }

  private called(text: string): { readonly content: string; readonly calls: readonly ToolCall[] } {
    return this.tool?.push(text) ?? { content: text, calls: [] };
  }
}
