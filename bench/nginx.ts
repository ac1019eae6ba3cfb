import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Children } from './children.ts';

const START_MS = 5_000;
const POLL_MS = 20;

/** `nginx/1.26.0`, or undefined where it is not installed. */
export function nginxVersion(): string | undefined {
  return versionText()?.match(/nginx\/[\d.]+/)?.[0];
}

function versionText(): string | undefined {
  const { status, stderr } = spawnSync('nginx', ['-V'], { encoding: 'utf8' });
  return status === 0 ? stderr : undefined;
}

/** nginx that relays to one origin and does nothing else: one process, loopback, its files in a folder of its own. */
export async function startNginx(
  children: Children,
  origin: string,
): Promise<{ readonly url: string; readonly pid: number; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'mr-nginx-'));
  const port = await freePort();
  writeFileSync(join(folder, 'nginx.conf'), configOf(folder, port, new URL(origin).host));
  // A path that it can write to before it has read the configuration.
  const child = children.start(
    ['nginx', '-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')],
    {
      place: 'server',
      channel: false,
    },
  );
  const close = async () => {
    await child.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const early = child.output().then(() => {
    throw new Error('nginx ended by itself');
  });
  early.catch(() => {});
  try {
    await Promise.race([listening(port), early]);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid, close };
}

function configOf(folder: string, port: number, upstream: string): string {
  const built = versionText() ?? '';
  // Each is made at the start, also where nothing uses it; a module that is not built in does not know its line.
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .filter(name => !built.includes(`--without-http_${name}_module`))
    .map(name => ` ${name}_temp_path ${join(folder, name)};`);
  return `daemon off; master_process off; pid ${join(folder, 'nginx.pid')}; error_log ${join(folder, 'error.log')};
events { worker_connections 8192; }
http { access_log off; keepalive_requests 100000000;
${paths.join('\n')}
 upstream engine { server ${upstream}; keepalive 512; keepalive_requests 100000000; }
 server { listen 127.0.0.1:${port} backlog=4096;
  location / { proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }
`;
}

/** A port that was free a moment ago: nginx cannot say which one it took. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

async function listening(port: number): Promise<void> {
  const until = performance.now() + START_MS;
  while (!(await accepts(port))) {
    if (performance.now() > until) throw new Error(`nginx does not listen after ${START_MS} ms`);
    await sleep(POLL_MS);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
