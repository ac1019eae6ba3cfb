import { Fault } from '../../ground/std/index.ts';
import type { BodySink, HttpRequest } from '../server/index.ts';

/** Largest request body: long contexts with images in them pass, a flood does not. */
export const BODY_BYTES_MAX: number = 32 * 1024 * 1024;

/** Collects the body within {@link BODY_BYTES_MAX}. Calls exactly one of the two, once; neither when the client leaves first. */
export function readBody(request: HttpRequest, done: (body: Buffer) => void, refuse: (fault: Fault) => void): void {
  const { contentEncoding, length } = request.head;
  if (contentEncoding !== undefined && contentEncoding !== 'identity') {
    throw new Fault('malformed_request', {
      message: `content-encoding ${contentEncoding.slice(0, 32)} is not taken: send the body as it is`,
      messageZh: `不支持 content-encoding ${contentEncoding.slice(0, 32)}：请直接发送未压缩的请求体`,
    });
  }
  if (length !== 'chunked' && length > BODY_BYTES_MAX) throw tooLarge();
  request.receive(new WholeBody(done, refuse));
}

/** Most bodies come in one piece, which is handed on as it lies. Pieces are put together as they come: a list of single bytes takes a hundred times their size. */
class WholeBody implements BodySink {
  private readonly done: (body: Buffer) => void;
  private readonly refuse: (fault: Fault) => void;
  private held: Buffer | undefined = undefined;
  private bytes = 0;
  private isRefused = false;

  constructor(done: (body: Buffer) => void, refuse: (fault: Fault) => void) {
    this.done = done;
    this.refuse = refuse;
  }

  onBody(content: Buffer): void {
    if (this.isRefused) return;
    const before = this.bytes;
    this.bytes += content.length;
    if (this.bytes > BODY_BYTES_MAX) {
      this.isRefused = true;
      this.held = undefined;
      this.refuse(tooLarge());
    } else if (!this.held) this.held = content;
    else {
      if (this.held.length < this.bytes) {
        const larger = Buffer.allocUnsafeSlow(Math.min(BODY_BYTES_MAX, 2 * this.bytes));
        this.held.copy(larger, 0, 0, before);
        this.held = larger;
      }
      content.copy(this.held, before);
    }
  }

  onEnd(): void {
    if (this.isRefused) return;
    const { held, bytes } = this;
    this.held = undefined;
    this.done(held ? held.subarray(0, bytes) : Buffer.alloc(0));
  }
}

function tooLarge(): Fault {
  return new Fault('payload_too_large', {
    message: `The body is larger than ${BODY_BYTES_MAX / 1_048_576} MiB`,
    messageZh: `请求体超过 ${BODY_BYTES_MAX / 1_048_576} MiB`,
  });
}
