import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, isNoSpace } from '../std/index.ts';
import { type ContentKey, sealBytes } from './sealed-bytes.ts';

/** What arrived, in a file of this machine: its name is its hash, which is known only at its end. */
export interface Spooled extends AsyncDisposable {
  readonly file: string;
  /** Of the bytes that came. */
  readonly bytes: number;
  readonly sha256: string;
  /** As they lie in the file. */
  readonly bytesAtRest: number;
}

/**
 * Takes a stream into a file, sealed where a key is given. Throws Fault `payload_too_large` at the first byte beyond `bytesMax`,
 * `storage_full`, or what the source throws; nothing is left behind then.
 */
export async function spool(
  source: AsyncIterable<Uint8Array>,
  {
    folder,
    bytesMax,
    content,
  }: { readonly folder: string; readonly bytesMax: number; readonly content: ContentKey | undefined },
): Promise<Spooled> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, randomUUID());
  const hash = createHash('sha256');
  let bytes = 0;
  let bytesAtRest = 0;
  const counted = async function* () {
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      hash.update(chunk);
      yield chunk;
    }
  };
  const handle = await open(file, 'wx', 0o600);
  try {
    for await (const chunk of content ? sealBytes(counted(), content) : counted()) {
      await handle.writeFile(chunk);
      bytesAtRest += chunk.length;
    }
    await handle.close();
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(file, { force: true });
    throw isNoSpace(error) ? new Fault('storage_full', { cause: error }) : error;
  }
  return {
    ...{ file, bytes, bytesAtRest, sha256: hash.digest('hex') },
    [Symbol.asyncDispose]: () => rm(file, { force: true }),
  };
}

function tooLarge(bytesMax: number): Fault {
  return new Fault('payload_too_large', {
    message: `The content is larger than the ${bytesMax} bytes that are left for it`,
    messageZh: `内容超出可用的 ${bytesMax} 字节`,
  });
}
