import type { JsonObject } from '../codec.ts';

/** Collects what of a chunk goes on. One unbroken run of bytes, the common case, is a view and costs no copy. */
export class RawParts {
  private readonly source: Buffer;
  /** The last event lacks its blank line: it is added, so that what follows can not run into it. */
  private readonly closing: boolean;
  private from = 0;
  private to = 0;
  private parts: Buffer[] | undefined = undefined;

  constructor(source: Buffer, closing: boolean) {
    this.source = source;
    this.closing = closing;
  }

  pass(start: number, end: number): void {
    if (this.to !== start || this.to === this.from) {
      this.cut();
      this.from = start;
    }
    this.to = end;
  }

  write(chunk: JsonObject): void {
    this.cut();
    this.parts ??= [];
    this.parts.push(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`));
  }

  /** Undefined where nothing goes on. */
  bytes(): Buffer | undefined {
    if (this.parts === undefined && !this.closing) {
      if (this.to === this.from) return undefined;
      if (this.from === 0 && this.to === this.source.length) return this.source;
      return this.source.subarray(this.from, this.to);
    }
    this.cut();
    if (this.parts === undefined) return undefined;
    return this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
  }

  private cut(): void {
    if (this.to === this.from) return;
    this.parts ??= [];
    this.parts.push(this.source.subarray(this.from, this.to));
    if (this.closing) this.parts.push(BLANK_LINE);
    this.from = this.to;
  }
}

const BLANK_LINE = Buffer.from('\n\n');
