import { randomFillSync } from 'node:crypto';

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const POOL_BYTES = 4096;

/**
 * A maker of UUIDv7 (RFC 9562 §5.7): 48 bits of ms, then 12 bits that count up within a ms (method 1), then 62 random
 * bits. Ids of one maker are strictly increasing, also when the clock steps back.
 */
export function createUuid7(nowMs: () => number): () => string {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  let lastMs = 0;
  let counter = 0;
  const random = () => {
    if (used >= POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    return pool[used++] ?? 0;
  };
  const hex = (byte: number) => HEX[byte & 0xff] ?? '00';
  return () => {
    const now = nowMs();
    if (now > lastMs) {
      lastMs = now;
      // Starts low, so that a burst within one ms has room to count.
      counter = ((random() << 8) | random()) & 0x7ff;
    } else if (++counter > 0xfff) {
      lastMs += 1;
      counter = 0;
    }
    const high = Math.floor(lastMs / 0x1_0000_0000);
    const low = lastMs >>> 0;
    return (
      `${hex(high >> 8)}${hex(high)}${hex(low >>> 24)}${hex(low >>> 16)}-${hex(low >>> 8)}${hex(low)}` +
      `-${hex(0x70 | (counter >> 8))}${hex(counter)}-${hex(0x80 | (random() & 0x3f))}${hex(random())}` +
      `-${hex(random())}${hex(random())}${hex(random())}${hex(random())}${hex(random())}${hex(random())}`
    );
  };
}
