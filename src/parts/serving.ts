import { join } from 'node:path';
import { controlSocket } from '../config.ts';
import { createBackup, engineDeps, listenOn, plantDefaults } from '../control/index.ts';
import { type GatewayThreads, startGatewayThreads } from '../gateway/index.ts';
import { createUuid7, systemClock } from '../ground/std/index.ts';
import { audit, jobs, journal, ledger, loader, slots, store, traffic } from './books.ts';
import { home, log } from './home.ts';
import { catalog, engines, runningEngines } from './models.ts';
import { definePart } from './part.ts';
import { cluster, identity } from './people.ts';

/** Which gateway threads run, told once they do: the control plane shows how they and their upstreams fare, and is there before them. */
export const threads = definePart({
  name: 'threads',
  needs: {},
  open() {
    let running: GatewayThreads | undefined;
    return {
      busyMs: () => running?.busyMs() ?? [],
      lastFailure: (deploymentId: string) => running?.lastFailure(deploymentId),
      run(started: GatewayThreads) {
        running = started;
      },
    };
  },
});

/** What the control plane works with. */
export const control = definePart({
  name: 'control',
  needs: {
    ...{ home, store, journal, loader, ledger, identity, catalog, engines, slots, log, traffic, cluster, threads },
    ...{ audit, jobs },
  },
  open(
    { home: _, slots: { shared: __, ...rows }, engines: hosts, threads: gateways, ...known },
    { config, version, serves },
  ) {
    const clock = systemClock;
    const kept = { store: known.store, journal: known.journal, loader: known.loader, clock };
    known.cluster?.follow(known);
    return {
      ...{ ...known, clock, slots: rows, version, newId: createUuid7(clock.nowMs), host: config.host },
      ...engineDeps({ engines: hosts, catalog: known.catalog, serves }),
      startedAtMs: clock.nowMs(),
      backup: createBackup({ home: config.home, ...kept }),
      gatewayBusyMs: gateways.busyMs,
      lastFailure: gateways.lastFailure,
      async publish() {
        await known.ledger.refresh();
        await known.identity.refresh();
        await known.catalog.refresh();
      },
    };
  },
});

const edgeSocket = (folder: string) => join(folder, 'edge.sock');

/** Where the control plane is reached: by the owner of the home, and by gateway threads for everyone. */
export const sockets = definePart({
  name: 'sockets',
  needs: { control },
  async open({ control: deps }, { config }) {
    const owner = await listenOn(deps, 'owner', controlSocket(config.home));
    try {
      return [owner, await listenOn(deps, 'public', edgeSocket(config.home))];
    } catch (error) {
      owner.close();
      throw error;
    }
  },
  close(servers) {
    for (const server of servers) server.close();
  },
});

export const gateway = definePart({
  name: 'gateway',
  needs: { home, sockets, slots, journal, cluster, identity, catalog, threads, log },
  async open({ home: { secrets }, slots: { shared }, ...known }, { config, onCrash }) {
    const { host, port, logLevel, silenceMs, bodyLimits, trustedProxies, corsOrigins, crashAt } = config;
    const { cluster: nodes, identity: callers, catalog: models, threads: gateways } = known;
    const started = await startGatewayThreads({
      ...{
        shared,
        host,
        port,
        threads: config.threads,
        logLevel,
        silenceMs,
        bodyLimits,
        trustedProxies,
        corsOrigins,
        crashAt,
        log: known.log,
        onCrash,
      },
      pepper: secrets.pepper.reveal(),
      controlSocket: edgeSocket(config.home),
      connectJournal: () => known.journal.connect(),
      supply: nodes && (request => nodes.supply(request)),
      callers: () => callers.callers(),
      snapshot: () => models.snapshot(),
      follow: informed => {
        models.onChange(informed.snapshot);
        callers.onDelta(informed.callers);
      },
    });
    gateways.run(started);
    return started;
  },
  close: started => started.stop(),
});

/** Last, when nothing can fail any more: a key that was made before would be lost with the message that it stands in. */
export const firstKey = definePart({
  name: 'first key',
  needs: { control, gateway, runningEngines, loader },
  async open({ control: deps, loader: into }) {
    const key = await plantDefaults(deps);
    into.start();
    return key;
  },
});
