import { isObject } from './fields.ts';
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
    for (;;) {
      if (this.bare) return { content: '', calls };
      if (this.inside) {
        const close = this.held.indexOf(TOOL_CLOSE);
        if (close < 0) return { content, calls };
        const body = this.held.slice(0, close);
        const call = parseCall(body);
        if (call === undefined) content += TOOL_OPEN + body + TOOL_CLOSE;
        else calls.push(call);
        this.held = this.held.slice(close + TOOL_CLOSE.length).trimStart();
        this.inside = false;
      }
      const open = this.held.indexOf(TOOL_OPEN);
      if (open < 0) {
        const [safe, held] = splitSafe(this.held, [TOOL_OPEN]);
        this.held = held;
        return { content: content + safe, calls };
      }
      content += this.held.slice(0, open).trimEnd();
      this.held = this.held.slice(open + TOOL_OPEN.length);
      this.inside = true;
    }
  }

  end(): { readonly content: string; readonly calls: readonly ToolCall[] } {
    const rest = this.held;
    this.held = '';
    if (!this.inside) return { content: rest, calls: [] };
    const call = parseCall(rest) ?? cutCall(rest);
    return call === undefined
      ? { content: this.bare ? rest : TOOL_OPEN + rest, calls: [] }
      : { content: '', calls: [call] };
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
