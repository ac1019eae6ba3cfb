import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestServer } from '../support/server.ts';
import { makeTrouble, type World } from './world.ts';

const CLIENTS = 12;
/** Between two looks at the books: they make the loader work while requests run. */
const LOOK_MS = 60;

export interface Death {
  /** Nobody told it to: it killed itself at its point. */
  readonly byItself: boolean;
}

/** Clients of all kinds, until the server is dead: by itself, or by SIGKILL when the time is over. */
export async function loadUntilDead(world: World, server: TestServer, lastsMs: number): Promise<Death> {
  const load = startLoad(world, server);
  let told = false;
  const timer = setTimeout(() => {
    told = true;
    server.process.kill('SIGKILL');
  }, lastsMs);
  await killed(server);
  clearTimeout(timer);
  await load.stop();
  return { byItself: !told };
}

/** Waits for the process to end; the exit code, null where it was a signal. */
export async function gone({ process }: TestServer): Promise<number | null> {
  if (process.exitCode === null && process.signalCode === null) await once(process, 'exit');
  return process.exitCode;
}

/** Waits for the process to be killed. Throws where it ended by itself: that is another fault than the one that was made. */
export async function killed(server: TestServer): Promise<void> {
  const code = await gone(server);
  if (code !== null) throw new Error(`the server ended with ${code}: ${server.said()}`);
}

/** Waits for a fact about a server that lives. Throws where it dies. */
export async function until(server: TestServer, fact: () => boolean): Promise<void> {
  while (!fact()) {
    const { exitCode, signalCode } = server.process;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`the server ended with ${exitCode}: ${server.said()}`);
    await sleep(5);
  }
}

/** Clients of all kinds, until they are stopped. */
export function startLoad(world: World, server: TestServer): { stop(): Promise<void> } {
  const { random, keys } = world;
  let stopped = false;
  const client = async () => {
    while (!stopped) {
      makeTrouble(world);
      const dice = random.whole(0, 19);
      const key = random.pick(keys);
      // The longer a stream, the later its client leaves; most never do.
      const leavesAfterMs = dice < 2 ? random.whole(0, 60) : dice < 4 ? random.whole(100, 700) : undefined;
      const model = dice < 6 ? 'long' : dice < 9 ? 'frail' : dice < 12 ? 'vectors' : 'chat';
      const stream = model === 'long' || (model !== 'vectors' && random.whole(0, 1) === 0);
      const well = await ask(world, server.url, { key, model, stream, leavesAfterMs });
      // A server that is away is asked again, but not as fast as one can.
      if (!well) await sleep(5);
    }
  };
  const owner = async () => {
    for (let count = 0; !stopped; count++) {
      if (count % 5 === 0) await credit(world, server.url);
      await look(world, server.url);
      await sleep(LOOK_MS);
    }
  };
  const all = Promise.all([owner(), ...Array.from({ length: CLIENTS }, client)]);
  return {
    async stop() {
      stopped = true;
      await all;
    },
  };
}

interface Question {
  readonly key: string;
  readonly model: string;
  readonly stream: boolean;
  readonly leavesAfterMs?: number | undefined;
}

/** One request, and what its client saw of it. False where the server answered nothing, or refused. */
export async function ask({ seen }: World, url: string, question: Question): Promise<boolean> {
  const { key, model, stream, leavesAfterMs } = question;
  seen.requests++;
  const leaving = leavesAfterMs === undefined ? undefined : AbortSignal.timeout(leavesAfterMs);
  const body =
    model === 'vectors'
      ? { model, input: ['a', 'b'] }
      : { model, stream, max_tokens: 1_000, messages: [{ role: 'user', content: 'hi' }] };
  let id: string | null = null;
  try {
    const answer = await fetch(`${url}/v1/${model === 'vectors' ? 'embeddings' : 'chat/completions'}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(leaving ? { signal: leaving } : {}),
    });
    id = answer.headers.get('x-request-id');
    const text = await answer.text();
    if (!id) return false;
    if (answer.status >= 400) seen.refused.add(id);
    else remember(seen.costs, id, { text, stream });
    return answer.status < 400;
  } catch {
    return false;
  }
}

/** A cost that is told is booked: at the end of a stream, of one that broke, or beside a whole answer. */
function remember(costs: Map<string, string>, id: string, { text, stream }: { text: string; stream: boolean }): void {
  const told = stream ? /: x-millrace-cost CNY (\S+)/.exec(text)?.[1] : JSON.parse(text).usage.cost.amount;
  if (told !== undefined) costs.set(id, told);
}

async function credit({ seen, adminKey }: World, url: string): Promise<void> {
  const idempotencyKey = `credit-${seen.creditsAsked++}`;
  try {
    const answer = await fetch(`${url}/api/v1/organizations/beta/wallets/credit`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ currency: 'CNY', amount: '0.000001', idempotencyKey }),
    });
    if (answer.ok) seen.credits.add(idempotencyKey);
  } catch {}
}

async function look({ adminKey }: World, url: string): Promise<void> {
  try {
    const headers = { authorization: `Bearer ${adminKey}` };
    await (await fetch(`${url}/api/v1/usage?organization=acme&limit=1`, { headers })).text();
  } catch {}
}
