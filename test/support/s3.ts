import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';

export interface TestS3 extends AsyncDisposable {
  /** With its bucket. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A server that speaks S3 and checks signatures, on a folder of its own. */
export async function startS3(): Promise<TestS3> {
  const folder = mkdtempSync(join(tmpdir(), 'mr-s3-'));
  const port = await freePort();
  const server = new S3rver({
    ...{ address: '127.0.0.1', port, silent: true, directory: folder },
    configureBuckets: [{ name: 'millrace', configs: [] }],
  });
  await server.run();
  return {
    endpoint: `http://127.0.0.1:${port}/millrace`,
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** It wants a number: one that nobody has at this moment. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>(done => probe.listen(0, '127.0.0.1', done));
  const address = probe.address();
  await new Promise(done => probe.close(done));
  return typeof address === 'object' && address ? address.port : 0;
}
