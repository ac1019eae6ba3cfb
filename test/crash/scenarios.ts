import { setTimeout as sleep } from 'node:timers/promises';
import { startServer, type TestServer } from '../support/server.ts';
import { ask, gone, killed, loadUntilDead, startLoad, until } from './load.ts';
import type { World } from './world.ts';

/** One way for the server to end. Leaves it dead; throws where it did not behave on the way. */
export type Scenario = (world: World) => Promise<void>;

/** Longest wait for a point that should be passed all the time. */
const POINT_MS = 15_000;

export const atRandom: Scenario = async world => {
  const server = await alive(world);
  await loadUntilDead(world, server, world.random.whole(20, 600));
};

/** Dies at a named point under load. Throws where the point was not passed often enough to fire. */
export function atPoint(point: string): Scenario {
  return async world => {
    // Points are passed at very different rates; few deaths are at the very first time.
    const most = /^loader/.test(point) ? 8 : /rotate/.test(point) ? 3 : 60;
    const times = world.random.whole(1, most);
    const server = await world.start({ CRASH_AT: `${point}:${times}` });
    // On the way up: it is passed there too.
    if (!server) return;
    const { byItself } = await loadUntilDead(world, server, POINT_MS);
    if (!byItself) throw new Error(`${point}:${times} did not fire`);
  };
}

/** Killed in the midst of recovery, again and again, at the point and at any moment. */
export function inRecovery(point: string): Scenario {
  return async world => {
    await leaveOrphans(world, 6);
    if (await world.start({ CRASH_AT: `${point}:1` })) throw new Error(`${point} did not fire`);
    for (let kills = world.random.whole(0, world.scale.kills); kills > 0; kills--) {
      const up = await world.start({ CRASH_AT: `${point}:${world.random.whole(1, 3)}` });
      // Nothing, or too little, was left to recover.
      await up?.signal('SIGKILL');
    }
  };
}

/** Killed at any moment of its start, again and again, with requests to recover. */
export const onTheWayUp: Scenario = async world => {
  await leaveOrphans(world, 6);
  for (let kills = world.random.whole(1, world.scale.kills); kills > 0; kills--)
    await world.startAndKill(world.random.whole(50, 1_200));
};

/** Stands still under load, as in a pause of the machine, goes on, and is killed in the end. */
export const stopped: Scenario = async world => {
  const server = await alive(world);
  const load = startLoad(world, server);
  await sleep(world.random.whole(50, 400));
  server.process.kill('SIGSTOP');
  await sleep(world.random.whole(500, world.scale.pauseMs));
  server.process.kill('SIGCONT');
  const before = world.seen.costs.size;
  // It must answer again.
  await until(server, () => world.seen.costs.size > before);
  server.process.kill('SIGKILL');
  await killed(server);
  await load.stop();
};

/** Many open streams at SIGTERM; then what the name says. */
export function terminated(then: 'ends' | 'deadline' | 'again' | 'killed'): Scenario {
  return async world => {
    world.upstream.script('chat-a', {
      ...{ texts: [' abc'], namesCalls: true },
      ...(then === 'ends' ? { tokens: 40, intervalMs: 20 } : { tokens: 900, intervalMs: 50 }),
    });
    const server = await alive(world, { MILLRACE_DRAIN_MS: then === 'deadline' ? '400' : '60000' });
    const before = world.upstream.calls.length;
    const known = world.seen.costs.size;
    const [key] = world.keys;
    const streams = Array.from({ length: world.scale.streams }, () =>
      ask(world, server.url, { key, model: 'chat', stream: true }),
    );
    const speaking = () => world.upstream.calls.slice(before).filter(call => call.billed.completionTokens > 0).length;
    await until(server, () => speaking() >= world.scale.streams);
    server.process.kill('SIGTERM');
    await sleep(world.random.whole(0, 200));
    // What comes within a second is the same wish (src/ground/std/stop-signals.ts).
    const again = then === 'again' ? setInterval(() => server.process.kill('SIGTERM'), 300) : undefined;
    if (then === 'killed') server.process.kill('SIGKILL');
    const exitCode = await gone(server);
    clearInterval(again);
    await Promise.all(streams);
    const told = world.seen.costs.size - known;
    if (then === 'again' && exitCode !== 1) throw new Error(`the second SIGTERM ended with ${exitCode}`);
    if (then !== 'ends' && then !== 'deadline') return;
    if (exitCode !== 0) throw new Error(`SIGTERM ended with ${exitCode}: ${server.said()}`);
    if (told !== world.scale.streams) throw new Error(`${told} of ${world.scale.streams} streams were told their end`);
  };
}

/** A second server on a home that one runs on, and two at once on one that none runs on. */
export const twice: Scenario = async world => {
  const server = await alive(world);
  const load = startLoad(world, server);
  await startServer(world.home, world.env).then(
    () => Promise.reject(new Error('a second server runs on the home')),
    error => {
      if (!/Another Millrace runs/.test(String(error))) throw error;
    },
  );
  server.process.kill('SIGKILL');
  await killed(server);
  await load.stop();
  const both = await Promise.allSettled([startServer(world.home, world.env), startServer(world.home, world.env)]);
  const running = both.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []));
  for (const each of running) await each.signal('SIGKILL');
  if (running.length !== 1) throw new Error(`${running.length} of two servers run on the home`);
};

async function alive(world: World, more?: Readonly<Record<string, string>>): Promise<TestServer> {
  const server = await world.start(more);
  if (!server) throw new Error('the server was killed on its way up, by nobody');
  return server;
}

/** Requests that run and have been noted, left behind for the next start. */
async function leaveOrphans(world: World, count: number): Promise<void> {
  const server = await alive(world);
  const [key] = world.keys;
  const before = world.upstream.calls.length;
  const running = Array.from({ length: count }, () => ask(world, server.url, { key, model: 'long', stream: true }));
  // Beyond the tokens after which a request's progress is noted, which takes half a second more.
  const far = () => world.upstream.calls.slice(before).filter(call => call.billed.completionTokens > 80).length;
  await until(server, () => far() >= count);
  await sleep(world.random.whole(0, 700));
  server.process.kill('SIGKILL');
  await killed(server);
  await Promise.all(running);
}
