import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Fault } from '../ground/std/index.ts';
import { createControlApp } from './app.ts';
import type { Access } from './context.ts';
import type { ControlDeps } from './deps.ts';

/** `sockaddr_un.sun_path` is 104 bytes on macOS and 108 on Linux, its ending zero included. */
const SOCKET_PATH_BYTES_MAX = 103;

/** Serves the control plane on a socket. Throws Fault `config_invalid` where that cannot be opened. */
export async function listenOn(deps: ControlDeps, access: Access, path: string): Promise<Server> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX)
    throw new Fault('config_invalid', {
      message: `${path} is too long for a socket (${SOCKET_PATH_BYTES_MAX} bytes at most): choose a shorter MILLRACE_HOME`,
      messageZh: `${path} 作为套接字路径太长（最多 ${SOCKET_PATH_BYTES_MAX} 字节）：请使用更短的 MILLRACE_HOME`,
    });
  rmSync(path, { force: true });
  const app = createControlApp(deps, access);
  const server = createServer(getRequestListener(app.fetch));
  // Who closes an idle connection may close it under a request that is on its way: gateway threads keep theirs.
  server.keepAliveTimeout = 0;
  const listening = new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(path, () => done());
  });
  await listening.catch((cause: unknown) => {
    throw new Fault('config_invalid', {
      message: `Cannot open the socket ${path} (${cause instanceof Error ? cause.message : String(cause)}): choose another MILLRACE_HOME`,
      messageZh: `无法打开套接字 ${path}（${cause instanceof Error ? cause.message : String(cause)}）：请使用其他 MILLRACE_HOME`,
      cause,
    });
  });
  return server;
}
