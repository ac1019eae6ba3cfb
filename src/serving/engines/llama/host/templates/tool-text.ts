import { splitSafe } from './marked-text.ts';
import {
  FUNCTION_CLOSE,
  FUNCTION_OPEN,
  readCall,
  TOOL_CLOSE,
  TOOL_OPEN,
  type ToolCall,
  type ToolTypes,
} from './tool-notation.ts';

/** How an answer says that it calls a function. */
export interface ToolShape {
  /** `marked`: between marks, wherever in the answer; `bare`: the whole answer is one call, as a forced one is. */
  readonly mode: 'marked' | 'bare';
  /** Calls may come without the outer marks (Qwen3-Coder). */
  readonly loose: boolean;
  readonly types: ToolTypes;
}

interface Mark {
  readonly open: string;
  readonly close: string;
}

const CALL: Mark = { open: TOOL_OPEN, close: TOOL_CLOSE };
const FUNCTION: Mark = { open: FUNCTION_OPEN, close: FUNCTION_CLOSE };

interface Piece {
  readonly content: string;
  readonly calls: readonly ToolCall[];
}

/**
 * Finds function calls in an answer. A call is given out whole. What stands between the marks and is no call stays text.
 */
export class ToolText {
  private readonly shape: ToolShape;
  private readonly opens: readonly string[];
  private held = '';
  private inside: Mark | undefined;
  /** Where to look on for the closing mark: all before was searched. */
  private searched = 0;
  /** White space before the opening mark: dropped with a call, kept with what is none. */
  private gap = '';
  /** Nothing but white space came since the last call; it belongs to the calls. */
  private after = false;

  constructor(shape: ToolShape) {
    this.shape = shape;
    this.opens = shape.loose ? [TOOL_OPEN, FUNCTION_OPEN] : [TOOL_OPEN];
  }

  push(text: string): Piece {
    this.held += text;
    let content = '';
    const calls: ToolCall[] = [];
    if (this.shape.mode === 'bare') return { content, calls };
    for (;;) {
      if (this.inside !== undefined) {
        const piece = this.close(this.inside);
        if (piece === undefined) return { content, calls };
        content += piece.content;
        calls.push(...piece.calls);
      }
      const found = this.open();
      content += found.content;
      if (!found.isOpen) return { content, calls };
    }
  }

  end(): Piece {
    const rest = this.held;
    this.held = '';
    const { mode, types } = this.shape;
    if (mode === 'bare') {
      const call = readCall(rest, types, true);
      return call === undefined ? { content: rest, calls: [] } : { content: '', calls: [call] };
    }
    if (this.inside === undefined) return { content: this.after && rest.trim() === '' ? '' : rest, calls: [] };
    const { open } = this.inside;
    const call = readCall(open === TOOL_OPEN ? rest : open + rest, types, true);
    return call === undefined ? { content: this.gap + open + rest, calls: [] } : { content: '', calls: [call] };
  }

  /** Gives out text up to the next opening mark. */
  private open(): { readonly content: string; readonly isOpen: boolean } {
    // A closing mark alone is what Qwen3-Coder leaves after a call that it began without the opening one.
    if (this.after) this.held = this.held.trimStart();
    if (this.after && this.shape.loose && this.held.startsWith(TOOL_CLOSE))
      this.held = this.held.slice(TOOL_CLOSE.length).trimStart();
    const [at, mark] = this.first();
    const waits = mark === undefined ? [...this.opens, ...(this.after && this.shape.loose ? [TOOL_CLOSE] : [])] : [];
    const [safe] = mark === undefined ? splitSafe(this.held, waits) : [this.held.slice(0, at)];
    const solid = safe.trimEnd();
    if (solid !== '') this.after = false;
    if (mark === undefined) {
      this.held = this.held.slice(solid.length);
      return { content: solid, isOpen: false };
    }
    this.gap = safe.slice(solid.length);
    this.held = this.held.slice(at + mark.open.length);
    this.inside = mark;
    this.searched = 0;
    return { content: solid, isOpen: true };
  }

  private first(): readonly [at: number, mark: Mark | undefined] {
    const call = this.held.indexOf(TOOL_OPEN);
    const loose = this.shape.loose ? this.held.indexOf(FUNCTION_OPEN) : -1;
    if (loose >= 0 && (call < 0 || loose < call)) return [loose, FUNCTION];
    return [call, call < 0 ? undefined : CALL];
  }

  /** The call that ends with the mark, or what was between the marks as text; undefined: it has not ended yet. */
  private close({ open, close }: Mark): Piece | undefined {
    const at = this.held.indexOf(close, this.searched);
    if (at < 0) {
      this.searched = Math.max(0, this.held.length - close.length);
      return undefined;
    }
    const body = this.held.slice(0, at);
    const call = readCall(open === TOOL_OPEN ? body : open + body + close, this.shape.types, false);
    this.after = call !== undefined;
    this.inside = undefined;
    this.held = this.held.slice(at + close.length);
    return call === undefined ? { content: this.gap + open + body + close, calls: [] } : { content: '', calls: [call] };
  }
}
