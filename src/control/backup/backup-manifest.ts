import { createHash } from 'node:crypto';
import { chmodSync, createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import { Fault, syncPath, writeDurably } from '../../ground/std/index.ts';

const MANIFEST = 'backup.json';
/** What a home keeps; sockets and the lock are made anew. */
export const KEPT: readonly string[] = ['secrets.json', 'store.db', 'journal'];

const manifestSchema = z.object({
  format: z.literal(1),
  store: z.enum(['sqlite', 'postgres']),
  madeAt: z.iso.datetime(),
  files: z.array(
    z.object({
      path: z.string().refine(path => KEPT.includes(path.split('/')[0] ?? '') && !path.split('/').includes('..')),
      bytes: z.int().min(0),
      sha256: z.string(),
    }),
  ),
});
export type Manifest = z.output<typeof manifestSchema>;

/** Makes what lies in a folder durable and writes down what it is: the last thing that a whole backup gets. */
export async function sealBackup(folder: string, about: Pick<Manifest, 'store' | 'madeAt'>): Promise<void> {
  const files: Manifest['files'] = [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    chmodSync(path, 0o600);
    const handle = await open(path, 'r');
    await handle.sync().finally(() => handle.close());
    files.push({
      path: relative(folder, path).replaceAll(sep, '/'),
      bytes: statSync(path).size,
      sha256: await sumOf(path),
    });
  }
  for (const entry of entries) if (entry.isDirectory()) syncPath(join(entry.parentPath, entry.name));
  writeDurably(
    join(folder, MANIFEST),
    `${JSON.stringify({ format: 1, ...about, files } satisfies Manifest, null, 1)}\n`,
  );
}

/** The manifest of a backup whose files are all there, whole and unchanged. Throws Fault `config_invalid` with the first that is not. */
export async function checkBackup(folder: string): Promise<Manifest> {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw notWhole(folder, 'there is no such folder', '没有这个目录');
  const manifest = readManifest(folder);
  const named = new Set(manifest.files.map(({ path }) => path.split('/')[0]));
  const absent = KEPT.find(name => !named.has(name) && !(name === 'store.db' && manifest.store === 'postgres'));
  if (absent !== undefined) throw notWhole(folder, `it has no ${absent}`, `缺少 ${absent}`);
  for (const { path, bytes, sha256 } of manifest.files) {
    const file = join(folder, path);
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) throw notWhole(folder, `it has no ${path}`, `缺少 ${path}`);
    if (size !== bytes)
      throw notWhole(folder, `${path} has ${size} bytes, not ${bytes}`, `${path} 有 ${size} 字节，应为 ${bytes}`);
    if ((await sumOf(file)) !== sha256) throw notWhole(folder, `${path} has changed`, `${path} 的内容已改变`);
  }
  return manifest;
}

function readManifest(folder: string): Manifest {
  const file = join(folder, MANIFEST);
  if (!existsSync(file)) throw notWhole(folder, `it has no ${MANIFEST}`, `缺少 ${MANIFEST}`);
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    throw notWhole(folder, `${MANIFEST} is damaged`, `${MANIFEST} 已损坏`);
  }
}

async function sumOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1_048_576 }), hash);
  return hash.digest('hex');
}

function notWhole(folder: string, why: string, whyZh: string): Fault {
  return new Fault('config_invalid', {
    message: `${folder} is not a whole backup: ${why}`,
    messageZh: `${folder} 不是完整的备份：${whyZh}`,
  });
}
