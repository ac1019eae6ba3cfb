import { formatAmount } from '@millrace/contract/words';
import type { Settlement } from '../../ground/journal/index.ts';
import type { Fault } from '../../ground/std/index.ts';
import type { Call, Codec, UsageStamp } from '../../models/dialects/index.ts';
import type { HttpResponse } from '../server/index.ts';
import type { Verdict } from '../stages/coverage.ts';
import type { Meter } from '../stages/meter.ts';
import type { Lang } from '../surfaces/respond.ts';

/** Carries one answer from the upstream to the client, metering it on the way. Pushed: synchronous per network chunk. */
export interface Relay {
  /** True once a byte of the answer went to the client: from here on there is no other target. */
  committed(): boolean;
  /** Takes a chunk of the upstream. Throws the Fault that ends the attempt. Returns false when the client reads too slowly. */
  data(chunk: Buffer): boolean;
  /** Why the answer must end here, though the upstream goes on: what was not covered did not go out. */
  stopped(): Verdict;
  /** True once the upstream said its end mark: the answer is whole, whatever becomes of the connection. */
  ended(): boolean;
  /** The upstream's answer is whole. Throws the Fault when it is not. */
  end(): void;
  /** Says the end of a settled answer. */
  finish(settlement: Settlement): void;
  /** Says that it failed: as an error answer, or, where the answer had begun, as an error event. */
  fail(fault: Fault, settlement: Settlement | undefined): void;
  /** The bytes that were buffered for another attempt are dropped. */
  reset(): void;
}

export interface RelayOptions {
  readonly res: HttpResponse;
  readonly codec: Codec;
  readonly call: Call;
  readonly meter: Meter;
  readonly requestId: string;
  readonly lang: Lang;
  /** Flat header list of the answer. */
  readonly headers: readonly string[];
  /** Called at the first byte of the answer that goes to the client. */
  readonly firstByte: () => void;
}

/** What the client is told of a settlement. */
export function stampOf(settlement: Settlement, meter: Meter): UsageStamp {
  return {
    usage: settlement.usage,
    totalTokens: meter.result().totalTokens,
    cost: { currency: settlement.currency, amount: formatAmount(settlement.amountNano) },
  };
}
