import { fileURLToPath } from 'node:url';
import type { Children } from './children.ts';
import { type MillraceServer, startMillrace } from './millrace-server.ts';
import { startNginx } from './nginx.ts';

export type SideName = 'engine' | 'relay' | 'nginx' | 'millrace';

/** One of the servers that are compared: where it answers, and which process does the work. */
export interface Side {
  readonly name: SideName;
  readonly url: string;
  readonly pid: number;
  readonly key: string | undefined;
  /** Millrace alone. */
  readonly millrace: MillraceServer | undefined;
}

/** Servers of one case, fresh: the mock engine and what stands before it. */
export interface Rig extends AsyncDisposable {
  readonly sides: readonly Side[];
}

const ENGINE = fileURLToPath(new URL('mock-engine.ts', import.meta.url));
const RELAY = fileURLToPath(new URL('undici-relay.ts', import.meta.url));

/** Starts the engine, and the sides in the order in which they are named: so they are measured, too. */
export async function openRig(
  children: Children,
  { sides, models }: { readonly sides: readonly SideName[]; readonly models: readonly string[] },
): Promise<Rig> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const step of closers.splice(0).reverse()) await step();
  };
  const startNode = async (program: string, args: readonly string[], place: 'server' | 'load') => {
    const child = children.start([process.execPath, program, ...args], { place });
    closers.push(() => child.stop());
    const { port }: { port: number } = JSON.parse(await child.firstLine());
    return { origin: `http://127.0.0.1:${port}`, pid: child.pid };
  };
  try {
    const engine = await startNode(ENGINE, ['0', '64', '0'], 'load');
    const start = async (name: SideName): Promise<Side> => {
      const side = { name, url: engine.origin, pid: engine.pid, key: undefined, millrace: undefined };
      switch (name) {
        case 'engine':
          return side;
        case 'relay': {
          const { origin, pid } = await startNode(RELAY, ['0', engine.origin], 'server');
          return { ...side, url: origin, pid };
        }
        case 'nginx': {
          const nginx = await startNginx(children, engine.origin);
          closers.push(nginx.close);
          return { ...side, url: nginx.url, pid: nginx.pid };
        }
        case 'millrace': {
          const { server, close: stop } = await startMillrace(children, { engine: `${engine.origin}/v1`, models });
          closers.push(stop);
          return { name, url: server.url, pid: server.pid, key: server.key, millrace: server };
        }
        default:
          return name satisfies never;
      }
    };
    const started: Side[] = [];
    for (const name of sides) started.push(await start(name));
    return { sides: started, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
