import { open, rm } from 'node:fs/promises';
import { S3mini } from 's3mini';
import { Fault, type Secret } from '../std/index.ts';
import type { BlobBackend } from './backend.ts';
import { missing } from './folder-backend.ts';

export interface S3Options {
  /** With the bucket as the last part of its path: `https://s3.example.com/millrace`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
}

/** One part of an upload, held in memory while it is on its way. S3 takes none below 5 MiB but the last. */
const PART_BYTES = 8 * 1024 * 1024;
const LIST_PAGE = 1_000;

/** Contents as objects of a bucket, at anyone who speaks S3 (AWS, MinIO, OSS, COS, TOS, R2 …). */
export function createS3Backend({ endpoint, region, accessKeyId, secretAccessKey }: S3Options): BlobBackend {
  const bucket = new S3mini({ endpoint, region, accessKeyId, secretAccessKey: secretAccessKey.reveal() });
  return {
    async keep(key, file, bytes) {
      const handle = await open(file, 'r');
      try {
        const part = async (at: number) => {
          const buffer = Buffer.allocUnsafe(Math.min(PART_BYTES, bytes - at));
          let got = 0;
          while (got < buffer.length) {
            const { bytesRead } = await handle.read(buffer, got, buffer.length - got, at + got);
            if (bytesRead === 0) throw new Error(`${file} is shorter than ${bytes} bytes`);
            got += bytesRead;
          }
          return buffer;
        };
        if (bytes <= PART_BYTES) await bucket.putObject(key, await part(0), 'application/octet-stream');
        else await upload(bucket, { key, bytes, part });
      } catch (cause) {
        throw unreachable(endpoint, cause);
      } finally {
        await handle.close();
      }
      await rm(file, { force: true });
    },
    async *read(key, { start, end }) {
      if (end <= start) return;
      const response = await bucket.getObjectRaw(key, false, start, end).catch(cause => {
        throw statusOf(cause) === 404 ? missing(key, cause) : unreachable(endpoint, cause);
      });
      if (response.status === 404 || !response.body) throw missing(key, undefined);
      let got = 0;
      for await (const chunk of response.body) {
        got += chunk.length;
        yield chunk;
      }
      if (got !== end - start) throw unreachable(endpoint, new Error(`${got} bytes of ${key}, not ${end - start}`));
    },
    async remove(key) {
      await bucket.deleteObject(key).catch(cause => {
        if (statusOf(cause) !== 404) throw unreachable(endpoint, cause);
      });
    },
    async *list() {
      let token: string | undefined;
      do {
        const page = await bucket.listObjectsPaged('/', '', LIST_PAGE, token).catch(cause => {
          throw unreachable(endpoint, cause);
        });
        for (const { Key, LastModified } of page?.objects ?? [])
          yield { key: Key, sinceMs: new Date(LastModified).getTime() };
        token = page?.nextContinuationToken;
      } while (token !== undefined);
    },
    async check() {
      const there = await bucket.bucketExists().catch(cause => {
        throw unreachable(endpoint, cause);
      });
      if (!there) throw unreachable(endpoint, new Error('there is no such bucket'));
    },
  };
}

async function upload(
  bucket: S3mini,
  {
    key,
    bytes,
    part,
  }: { readonly key: string; readonly bytes: number; readonly part: (at: number) => Promise<Buffer> },
): Promise<void> {
  const id = await bucket.getMultipartUploadId(key, 'application/octet-stream');
  try {
    const parts = [];
    for (let at = 0; at < bytes; at += PART_BYTES)
      parts.push(await bucket.uploadPart(key, id, await part(at), parts.length + 1));
    await bucket.completeMultipartUpload(key, id, parts);
  } catch (error) {
    // Parts of an upload that never ends are paid for all the same.
    await bucket.abortMultipartUpload(key, id).catch(() => {});
    throw error;
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : undefined;
}

function unreachable(endpoint: string, cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  return new Fault('unavailable', {
    message: 'The object store does not answer as it should',
    messageZh: '对象存储未能正常响应',
    internal: `${URL.parse(endpoint)?.host}: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  });
}
