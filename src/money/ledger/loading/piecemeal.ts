import type { Store } from '../../../ground/store/index.ts';
import { applyChanges, type BalanceChanges } from '../booking.ts';
import { drawOnWallets } from '../leases/draw-leases.ts';
import { contentOf, isUnbookable, reasonOf, type Suspended, suspend } from '../suspense.ts';
import { type Cursor, moveCursor } from './cursor.ts';
import { type OpenRequest, releaseHolds } from './open-requests.ts';
import type { SlicePlan } from './plan-slice.ts';
import type { Settled } from './settled.ts';
import { type SliceParts, writeSlice } from './write-slice.ts';

/**
 * Writes a plan that could not be written as a whole: each of its requests in a transaction of its own, so that the one that cannot
 * be booked goes to suspense and takes none with it. The cursor stays where it is until all are through: who begins again in the
 * midst of it passes over those that are. Throws what is no fault of a single record.
 */
export async function writePiecemeal(
  store: Store,
  { plan, ...parts }: SliceParts,
): Promise<{
  readonly cursor: Cursor;
  readonly settled: readonly Settled[];
  readonly suspended: readonly Suspended[];
}> {
  const { node } = parts;
  const stay = parts.from?.seq ?? 0;
  let { from } = parts;
  const settled: Settled[] = [];
  const suspended: Suspended[] = [];
  const write = async (piece: Partial<SlicePlan>) => {
    await store.transaction(trx =>
      writeSlice(store, trx, { ...parts, from, plan: { ...NOTHING, cursor: stay, ...piece } }),
    );
    from = { epoch: node.epoch, seq: stay };
  };
  const aside = async (what: Suspended, held: readonly OpenRequest[]) => {
    await putAside(store, { what, held, node, from, nowMs: parts.nowMs });
    from = { epoch: node.epoch, seq: stay };
    suspended.push(what);
  };
  const held = new Map(plan.released.map(request => [request.intent.id, request]));
  for (const each of plan.settled) {
    const { id } = each.settlement;
    const hold = held.get(id);
    try {
      await write({ settled: [each], released: hold ? [hold] : [] });
      settled.push(each);
    } catch (error) {
      if (!isUnbookable(error)) throw error;
      await aside(
        { kind: 'settlement', seq: each.seq, requestId: id, reason: reasonOf(error), content: contentOf(each) },
        hold ? [hold] : [],
      );
    }
  }
  for (const request of plan.fresh) {
    try {
      await write({ fresh: [request] });
    } catch (error) {
      if (!isUnbookable(error)) throw error;
      const { seq, intent, progress } = request;
      await aside(
        { kind: 'hold', seq, requestId: intent.id, reason: reasonOf(error), content: contentOf({ intent, progress }) },
        [],
      );
    }
  }
  // A note that cannot be kept is one that was lost: its request is settled from the one before.
  for (const request of plan.noted) await write({ noted: [request] }).catch(rethrowUnless(isUnbookable));
  await store.transaction(trx =>
    writeSlice(store, trx, { ...parts, from, plan: { ...NOTHING, suspended: plan.suspended, cursor: plan.cursor } }),
  );
  return { cursor: { epoch: node.epoch, seq: plan.cursor }, settled, suspended };
}

/** What a request held is given back; the cursor stays. */
export async function putAside(
  store: Store,
  {
    what,
    held,
    node,
    from,
    nowMs,
  }: Pick<SliceParts, 'node' | 'from' | 'nowMs'> & {
    readonly what: Suspended;
    readonly held: readonly OpenRequest[];
  },
): Promise<void> {
  const { nodeId, epoch } = node;
  await store.transaction(async trx => {
    const changes: BalanceChanges = new Map();
    await releaseHolds(trx, held, changes);
    if (node.isLeasing()) await drawOnWallets(store, trx, { nodeId, changes });
    await applyChanges(store, trx, changes);
    await suspend(store, trx, { nodeId, nowMs, all: [what] });
    await moveCursor(store, trx, { nodeId, from, to: { epoch, seq: from?.seq ?? 0 } });
  });
}

export const NOTHING: Omit<SlicePlan, 'cursor'> = {
  settled: [],
  strays: [],
  suspended: [],
  released: [],
  fresh: [],
  noted: [],
};

function rethrowUnless(holds: (error: unknown) => boolean): (error: unknown) => void {
  return error => {
    if (!holds(error)) throw error;
  };
}
