import type { Settlement } from '../../ground/journal/index.ts';
import { Fault } from '../../ground/std/index.ts';
import type { Answer } from '../../models/dialects/index.ts';
import type { Verdict } from '../stages/coverage.ts';
import { costText, sendFault, sendJson } from '../surfaces/respond.ts';
import { type Relay, type RelayOptions, stampOf } from './relay.ts';

/** A whole answer is held in memory until it is settled: bounded. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** An answer that goes out in one piece, when it is settled. */
export class JsonRelay implements Relay {
  private readonly options: RelayOptions;
  private chunks: Buffer[] = [];
  private bytes = 0;
  private answer: Answer | undefined = undefined;

  constructor(options: RelayOptions) {
    this.options = options;
  }

  committed(): boolean {
    return false;
  }

  data(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (this.bytes > ANSWER_BYTES_MAX)
      throw new Fault('upstream_error', { internal: `answer beyond ${ANSWER_BYTES_MAX} bytes` });
    this.chunks.push(chunk);
    return true;
  }

  /** Its hold covers all that may be charged. */
  stopped(): Verdict {
    return 'covered';
  }

  ended(): boolean {
    return false;
  }

  end(): void {
    const { codec, call, meter } = this.options;
    const [only] = this.chunks;
    const body = this.chunks.length === 1 && only ? only : Buffer.concat(this.chunks);
    try {
      this.answer = codec.decodeResponse(call.operation, body);
    } catch (error) {
      // What failed may have been work, and says so.
      const usage = codec.usageIn(body);
      if (usage) meter.seeUsage(usage);
      throw error;
    }
    meter.seeText(this.answer.text);
    if (this.answer.usage) meter.seeUsage(this.answer.usage);
  }

  finish(settlement: Settlement): void {
    const { answer } = this;
    if (!answer) return;
    const { res, codec, call, headers, meter, firstByte } = this.options;
    firstByte();
    const stamp = stampOf(settlement, meter);
    sendJson(res, 200, {
      body: codec.encodeResponse(answer, { ...stamp, model: call.model }),
      headers: [...headers, 'x-millrace-cost', costText(stamp.cost)],
    });
  }

  fail(fault: Fault): void {
    sendFault(this.options.res, fault, this.options);
  }

  reset(): void {
    this.chunks = [];
    this.bytes = 0;
    this.answer = undefined;
  }
}
