import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `sockaddr_un.sun_path` is 104 bytes on macOS and 108 on Linux, its ending zero included. */
const PATH_BYTES_MAX = 103;

/** Where the sockets of one supervisor are. */
export interface SocketFolder extends Disposable {
  pathOf(deploymentId: string): string;
}

/**
 * Short, stable names in `folder`; where that is too deep for a socket, in a private folder under the system's temporary
 * one, removed on disposal.
 * @throws Error where even that is too deep
 */
export function openSocketFolder(folder: string): SocketFolder {
  const name = (id: string) => `e-${createHash('sha256').update(id).digest('hex').slice(0, 12)}.sock`;
  if (process.platform === 'win32')
    return { pathOf: id => `\\\\.\\pipe\\millrace-${process.pid}-${name(id)}`, [Symbol.dispose]() {} };
  const fits = (base: string) => Buffer.byteLength(join(base, name(''))) <= PATH_BYTES_MAX;
  if (fits(folder)) return { pathOf: id => join(folder, name(id)), [Symbol.dispose]() {} };
  const base = fits(join(tmpdir(), 'millrace-XXXXXX')) ? tmpdir() : '/tmp';
  const own = mkdtempSync(join(base, 'millrace-'));
  return { pathOf: id => join(own, name(id)), [Symbol.dispose]: () => rmSync(own, { recursive: true, force: true }) };
}
