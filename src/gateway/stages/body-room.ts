import { type ByteSlot, Fault, type KeySlots } from '../../ground/std/index.ts';

/** Memory for bodies that have begun to come and are not whole: who sends many large ones slowly must not fill it. */
export interface BodyRoom {
  /** Why there is none; undefined, and taken, where there is. `slot`: of the key in whose name it is. */
  take(slot: number | undefined, bytes: number): Fault | undefined;
  giveBack(slot: number | undefined, bytes: number): void;
}

export interface BodyRoomLimits {
  /** In all, over all threads. */
  readonly nodeBytes: number;
  /** In the name of one key, over all threads. */
  readonly keyBytes: number;
}

const RETRY_MS = 1_000;

/** Counts in `all`, and for each key in `keys`. Of bodies that come in one piece nothing is counted: they are handed on as they come. */
export function createBodyRoom(
  all: ByteSlot,
  { nodeBytes, keyBytes = nodeBytes }: Partial<BodyRoomLimits> & Pick<BodyRoomLimits, 'nodeBytes'>,
  keys?: Pick<KeySlots, 'addBody'>,
): BodyRoom {
  const giveBack = (slot: number | undefined, bytes: number) => {
    all.add(-bytes);
    if (slot !== undefined) keys?.addBody(slot, -bytes);
  };
  return {
    take(slot, bytes) {
      const ofKey = slot === undefined ? 0 : (keys?.addBody(slot, bytes) ?? 0);
      const isFull = all.add(bytes) > nodeBytes;
      if (!isFull && ofKey <= keyBytes) return undefined;
      giveBack(slot, bytes);
      return ofKey > keyBytes ? keyFull(keyBytes) : nodeFull();
    },
    giveBack,
  };
}

function keyFull(bytes: number): Fault {
  return new Fault('rate_limited', {
    message: `Request bodies of this key that are still coming take ${bytes / 1_048_576} MiB, which is the limit`,
    messageZh: `此密钥正在上传的请求体已达上限 ${bytes / 1_048_576} MiB`,
    retryAfterMs: RETRY_MS,
  });
}

function nodeFull(): Fault {
  return new Fault('capacity', {
    message: 'This node holds as many request bodies that are still coming as it may',
    messageZh: '本节点正在接收的请求体已达上限',
    retryAfterMs: RETRY_MS,
  });
}
