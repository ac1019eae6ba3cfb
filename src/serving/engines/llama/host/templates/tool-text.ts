import { isObject } from '../requests/fields.ts';
import { splitSafe } from './marked-text.ts';

export interface ToolCall {
  readonly name: string;
  /** JSON text; cut off where the answer was. */
  readonly arguments: string;
}

export const TOOL_OPEN = '<tool_call>';
export const TOOL_CLOSE = '</tool_call>';

/**
 * Finds function calls in an answer, in the notation of Hermes and Qwen: `<tool_call>{"name": …, "arguments": …}</tool_call>`.
 * A call is given out whole. What stands between the marks and is no call stays text.
 */
export class ToolText {
  private held = '';
  private inside: boolean;
  /** White space before the opening mark: dropped with a call, kept with what is none. */
  private gap = '';
  /** Nothing but white space came since the last call; it belongs to the calls. */
  private after = false;
  /** The whole answer is one call without marks: what a forced call looks like. */
  private readonly bare: boolean;

  constructor(mode: 'marked' | 'bare') {
    this.bare = mode === 'bare';
    this.inside = this.bare;
  }

  push(text: string): { readonly content: string; readonly calls: readonly ToolCall[] } {
    this.held += text;
    let content = '';
    const calls: ToolCall[] = [];
    if (this.bare) return { content, calls };
    for (;;) {
      if (this.inside) {
        const close = this.held.indexOf(TOOL_CLOSE);
        if (close < 0) return { content, calls };
        const body = this.held.slice(0, close);
        const call = parseCall(body);
        if (call === undefined) content += this.gap + TOOL_OPEN + body + TOOL_CLOSE;
        else calls.push(call);
        this.after = call !== undefined;
        this.inside = false;
        this.held = this.held.slice(close + TOOL_CLOSE.length);
      }
      if (this.after) this.held = this.held.trimStart();
      const open = this.held.indexOf(TOOL_OPEN);
      const [safe] = open < 0 ? splitSafe(this.held, [TOOL_OPEN]) : [this.held.slice(0, open)];
      const solid = safe.trimEnd();
      content += solid;
      if (solid !== '') this.after = false;
      if (open < 0) {
        this.held = this.held.slice(solid.length);
        return { content, calls };
      }
      this.gap = safe.slice(solid.length);
      this.held = this.held.slice(open + TOOL_OPEN.length);
      this.inside = true;
    }
  }

  end(): { readonly content: string; readonly calls: readonly ToolCall[] } {
    const rest = this.held;
    this.held = '';
    if (!this.inside) return { content: rest, calls: [] };
    const call = parseCall(rest) ?? cutCall(rest);
    if (call !== undefined) return { content: '', calls: [call] };
    return { content: this.bare ? rest : this.gap + TOOL_OPEN + rest, calls: [] };
  }
}

function parseCall(text: string): ToolCall | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value) || typeof value['name'] !== 'string') return undefined;
    const given = value['arguments'] ?? {};
    return { name: value['name'], arguments: typeof given === 'string' ? given : JSON.stringify(given) };
  } catch {
    return undefined;
  }
}

/** A call that the length limit cut off: its name, and the arguments as far as they came. */
function cutCall(text: string): ToolCall | undefined {
  const match = /^\s*\{"name":\s*("(?:[^"\\]|\\.)+"),\s*"arguments":\s*(.*)$/s.exec(text);
  if (match?.[1] === undefined) return undefined;
  const name: unknown = JSON.parse(match[1]);
  return typeof name === 'string' ? { name, arguments: match[2] ?? '' } : undefined;
}
