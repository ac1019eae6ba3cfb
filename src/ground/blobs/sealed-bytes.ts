import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Fault, type Secret } from '../std/index.ts';
import type { ByteRange } from './backend.ts';

/**
 * Bytes at rest under AES-256-GCM in frames, so that a part can be read without the whole: the STREAM construction (Hoang, Reyhanitabar,
 * Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015). A frame's nonce is its number and
 * whether it is the last: none can be dropped, moved, or cut off unseen. The key is derived from the master and the content's salt.
 */
const FRAME_BYTES = 64 * 1024;
const TAG_BYTES = 16;

export interface ContentKey {
  readonly master: Secret;
  /** Hex. */
  readonly salt: string;
}

export const newSalt = (): string => randomBytes(16).toString('hex');

/** Size at rest of so many bytes. */
export function sealedBytes(bytes: number): number {
  return bytes + frames(bytes) * TAG_BYTES;
}

const frames = (bytes: number) => Math.max(1, Math.ceil(bytes / FRAME_BYTES));

const keyOf = ({ master, salt }: ContentKey) =>
  Buffer.from(hkdfSync('sha256', master.reveal(), Buffer.from(salt, 'hex'), 'millrace blob v1', 32));

function nonceOf(frame: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(frame, 7);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

export async function* sealBytes(source: AsyncIterable<Uint8Array>, content: ContentKey): AsyncIterable<Buffer> {
  const key = keyOf(content);
  let frame = 0;
  const seal = (bytes: Uint8Array, isLast: boolean) => {
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(frame++, isLast));
    return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  };
  const held = Buffer.alloc(FRAME_BYTES);
  let used = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      // A full frame goes out when more follows: the last one is known only then.
      if (used === FRAME_BYTES) {
        yield seal(held, false);
        used = 0;
      }
      const part = chunk.subarray(at, at + FRAME_BYTES - used);
      held.set(part, used);
      used += part.length;
      at += part.length;
    }
  }
  yield seal(held.subarray(0, used), true);
}

/**
 * Opens a part of sealed bytes. `read` gives sealed bytes; `bytes` is the size of the whole content. Throws Fault `internal` where
 * they are not what was sealed.
 */
export async function* openBytes(
  read: (range: ByteRange) => AsyncIterable<Uint8Array>,
  { start, end }: ByteRange,
  { bytes, ...content }: ContentKey & { readonly bytes: number },
): AsyncIterable<Buffer> {
  if (end <= start) return;
  const key = keyOf(content);
  const last = frames(bytes) - 1;
  const sealed = FRAME_BYTES + TAG_BYTES;
  let frame = Math.floor(start / FRAME_BYTES);
  const until = Math.floor((end - 1) / FRAME_BYTES);
  const open = (whole: Buffer) => {
    const from = frame * FRAME_BYTES;
    const plain = openFrame(whole, { key, nonce: nonceOf(frame, frame === last) });
    frame++;
    return plain.subarray(Math.max(0, start - from), Math.min(plain.length, end - from));
  };
  let held: Buffer = Buffer.alloc(0);
  const range = { start: frame * sealed, end: Math.min(sealedBytes(bytes), (until + 1) * sealed) };
  for await (const chunk of read(range)) {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
    for (; held.length >= sealed; held = held.subarray(sealed)) yield open(held.subarray(0, sealed));
  }
  if (held.length > 0) yield open(held);
  if (frame <= until) throw damaged(undefined);
}

function openFrame(whole: Buffer, { key, nonce }: { readonly key: Buffer; readonly nonce: Buffer }): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAuthTag(
      whole.subarray(Math.max(0, whole.length - TAG_BYTES)),
    );
    return Buffer.concat([decipher.update(whole.subarray(0, whole.length - TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw damaged(cause);
  }
}

function damaged(cause: unknown): Fault {
  return new Fault('internal', {
    message: 'The content is damaged, or the master key in MILLRACE_HOME is not the one it was encrypted with',
    messageZh: '内容已损坏，或 MILLRACE_HOME 中的主密钥与加密时不同',
    cause,
  });
}
