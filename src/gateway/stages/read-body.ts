import { Fault } from '../../ground/std/index.ts';
import type { BodySink, HttpRequest } from '../server/index.ts';
import type { BodyRoom } from './body-room.ts';

/** Largest request body: long contexts with images in them pass, a flood does not. */
export const BODY_BYTES_MAX: number = 32 * 1024 * 1024;

/** A body that comes. */
export interface IncomingBody {
  /** Its client left: what it held is given back, and nothing is called any more. */
  drop(): void;
}

export interface BodyOptions {
  readonly bytesMax: number;
  /** Where what has come of bodies that are not whole is counted, and in whose name. */
  readonly room: BodyRoom;
  readonly slot: number | undefined;
  /** Exactly one of the two is called, once; neither when the client leaves first, which is the caller's to hear and to say by `drop`. */
  readonly done: (body: Buffer) => void;
  readonly refuse: (fault: Fault) => void;
}

/** Collects the body within its limits. Throws `malformed_request` or `payload_too_large` where the head says enough. */
export function readBody(request: HttpRequest, options: BodyOptions): IncomingBody {
  const { contentEncoding, length } = request.head;
  if (contentEncoding !== undefined && contentEncoding !== 'identity') {
    throw new Fault('malformed_request', {
      message: `content-encoding ${contentEncoding.slice(0, 32)} is not taken: send the body as it is`,
      messageZh: `不支持 content-encoding ${contentEncoding.slice(0, 32)}：请直接发送未压缩的请求体`,
    });
  }
  if (length !== 'chunked' && length > options.bytesMax) throw tooLarge(options.bytesMax);
  const body = new WholeBody(request, options);
  request.receive(body);
  return body;
}

/** Most bodies come in one piece, which is handed on as it lies. Pieces are put together as they come: a list of single bytes takes a hundred times their size. */
class WholeBody implements BodySink, IncomingBody {
  private readonly request: HttpRequest;
  private readonly options: BodyOptions;
  private held: Buffer | undefined = undefined;
  private bytes = 0;
  private roomBytes = 0;
  private isOver = false;

  constructor(request: HttpRequest, options: BodyOptions) {
    this.request = request;
    this.options = options;
  }

  onBody(content: Buffer): void {
    if (this.isOver) return;
    const { bytesMax } = this.options;
    const before = this.bytes;
    this.bytes += content.length;
    if (this.bytes > bytesMax) this.fail(tooLarge(bytesMax));
    else if (before === 0) this.held = content;
    else this.append(content, before);
  }

  private append(content: Buffer, before: number): void {
    let { held } = this;
    if (!held || held.length < this.bytes) {
      const room = Math.min(this.options.bytesMax, 2 * this.bytes);
      const refusal = this.options.room.take(this.options.slot, room - this.roomBytes);
      if (refusal) {
        this.fail(refusal);
        return;
      }
      this.roomBytes = room;
      const larger = Buffer.allocUnsafeSlow(room);
      held?.copy(larger, 0, 0, before);
      held = larger;
      this.held = larger;
    }
    content.copy(held, before);
  }

  onEnd(): void {
    if (this.isOver) return;
    const { held, bytes } = this;
    this.drop();
    this.options.done(held ? held.subarray(0, bytes) : Buffer.alloc(0));
  }

  drop(): void {
    this.isOver = true;
    this.held = undefined;
    if (this.roomBytes > 0) this.options.room.giveBack(this.options.slot, this.roomBytes);
    this.roomBytes = 0;
  }

  private fail(fault: Fault): void {
    this.drop();
    this.request.ignoreBody();
    this.options.refuse(fault);
  }
}

function tooLarge(bytesMax: number): Fault {
  return new Fault('payload_too_large', {
    message: `The body is larger than ${bytesMax / 1_048_576} MiB`,
    messageZh: `请求体超过 ${bytesMax / 1_048_576} MiB`,
  });
}
