import { createReadStream } from 'node:fs';
import { access, constants, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault, syncPath } from '../std/index.ts';
import type { BlobBackend } from './backend.ts';

/** Contents as files below a folder of this machine. */
export function createFolderBackend(folder: string): BlobBackend {
  const pathOf = (key: string) => join(folder, ...key.split('/'));
  return {
    async keep(key, file) {
      const path = pathOf(key);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      // The bytes first, then the name, then the folder: what has a name is whole, at a power cut too.
      const handle = await open(file, 'r+');
      await handle.sync().finally(() => handle.close());
      await rename(file, path);
      syncPath(dirname(path));
    },
    async *read(key, { start, end }) {
      if (end <= start) return;
      const stream = createReadStream(pathOf(key), { start, end: end - 1 });
      try {
        yield* stream;
        if (stream.bytesRead !== end - start) throw new Error(`${stream.bytesRead} bytes, not ${end - start}`);
      } catch (cause) {
        throw missing(key, cause);
      } finally {
        stream.destroy();
      }
    },
    remove: key => rm(pathOf(key), { force: true }),
    async *list() {
      for (const group of await readdir(folder).catch(() => [])) {
        for (const name of await readdir(join(folder, group)).catch(() => [])) {
          const key = `${group}/${name}`;
          const at = await stat(pathOf(key)).catch(() => undefined);
          if (at?.isFile()) yield { key, sinceMs: at.mtimeMs };
        }
      }
    },
    async check() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await access(folder, constants.W_OK | constants.R_OK);
    },
  };
}

export function missing(key: string, cause: unknown): Fault {
  return new Fault('not_found', {
    message: 'The content is not there any more',
    messageZh: '内容已不存在',
    internal: `blob ${key}`,
    cause,
  });
}
