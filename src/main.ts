// The composition root: the only file that starts things.
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { getRequestListener } from '@hono/node-server';
import { type Config, controlSocket } from './config.ts';
import {
  type ControlDeps,
  createBackup,
  createControlApp,
  createTraffic,
  engineDeps,
  firstProject,
  isReady,
  modelFile,
  plantDefaults,
  refuseHalfRestored,
} from './control/index.ts';
import { assertSecrets, type Cluster, createLeasing, joinCluster } from './fleet/cluster/index.ts';
import { type GatewayThreads, startGatewayThreads } from './gateway/index.ts';
import { type Journal, openJournalClient } from './ground/journal/index.ts';
import {
  armCrashPoint,
  createLog,
  createSlots,
  createUuid7,
  Fault,
  isOpenToOthers,
  type Log,
  lockHome,
  onStopSignal,
  openSlots,
  readSecrets,
  type Secret,
  type SharedSlots,
  systemClock,
} from './ground/std/index.ts';
import { openStore } from './ground/store/index.ts';
import { type Catalog, createCatalog, createSeal } from './models/catalog/index.ts';
import { createLedger, createLoader, type Loader, startKeptJournal } from './money/ledger/index.ts';
import { settleOrphans } from './money/metering/index.ts';
import { createIdentity } from './people/identity/index.ts';
import { type Engines, superviseEngines } from './serving/engines/index.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const VERSION: string = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;

const ENGINES_READY_MS = 20_000;
/** `sockaddr_un.sun_path` is 104 bytes on macOS and 108 on Linux, its ending zero included. */
const SOCKET_PATH_BYTES_MAX = 103;

/** Paths below the home. */
const STORE_FILE = 'store.db';
const JOURNAL_FOLDER = 'journal';
const edgeSocket = (home: string) => join(home, 'edge.sock');

interface Plane extends AsyncDisposable {
  readonly deps: ControlDeps;
  readonly shared: SharedSlots;
  readonly journal: Journal;
  readonly loader: Loader;
  readonly catalog: Catalog;
  readonly engines: Engines;
  readonly cluster: Cluster | undefined;
  readonly pepper: Secret;
  readonly log: Log;
}

/** What is opened is closed in the reverse order. */
interface Opened {
  push(step: () => unknown): void;
}

interface PlaneOptions {
  /** A server runs every engine of the catalog; a command line only one that it asks for. */
  readonly serves: boolean;
  readonly onCrash: (error: unknown) => void;
  readonly gatewayBusyMs?: ControlDeps['gatewayBusyMs'];
}

/** Opens everything but the gateway: home lock, secrets, store, journal, recovery, ledger, identity, catalog. */
async function openPlane(config: Config, options: PlaneOptions): Promise<Plane> {
  armCrashPoint(config.crashAt);
  // All that we make is for our owner alone from the moment it is there, sockets above all: a mode that is set afterwards leaves
  // a moment in which another may enter. Children and threads make theirs under it too.
  process.umask(0o077);
  const opened: (() => unknown)[] = [];
  const close = async () => {
    for (const step of opened.splice(0).reverse()) await step();
  };
  try {
    const books = await openBooks(config, options, opened);
    return { ...(await openDomain(config, books, { options, opened })), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Books = Awaited<ReturnType<typeof openBooks>>;

/** What is kept, under the lock of the home: secrets, store, journal, and what brings the one into the other. */
async function openBooks(config: Config, { onCrash }: PlaneOptions, opened: Opened) {
  const log = createLog(config.logLevel);
  const lock = lockHome(config.home);
  opened.push(() => lock[Symbol.dispose]());
  refuseHalfRestored(config.home);
  const secrets = readSecrets(config.home, [STORE_FILE, JOURNAL_FOLDER]);
  const shared = createSlots();
  const isShared = config.valkeyUrl !== undefined;
  const file = join(config.home, STORE_FILE);
  const store = await openStore({ url: config.databaseUrl, file, log, writer: isShared ? 'shared' : true });
  opened.push(() => store[Symbol.asyncDispose]());
  await assertSecrets(store, secrets, config.home);
  const journal = await startKeptJournal({
    store,
    home: config.home,
    isShared,
    acceptLoss: config.acceptJournalLoss,
    nowMs: systemClock.nowMs(),
    dir: join(config.home, JOURNAL_FOLDER),
    shared,
    segmentRows: config.segmentRows,
    crashAt: config.crashAt,
    onCrash,
  });
  opened.push(() => journal[Symbol.asyncDispose]());
  const traffic = createTraffic();
  const { isLeasing, recovered } = createLeasing(store, isShared);
  const { settled: onSettled } = traffic;
  const loader = await createLoader({ store, journal, log, isLeasing, onError: onCrash, onSettled });
  opened.push(() => loader.stop());
  const slots = openSlots(shared, isShared ? 'shares' : 'own');
  return { log, secrets, shared, slots, store, journal, traffic, loader, recovered };
}

/** What gives them meaning: wallets, engines, models, keys; what the last run left unsettled is settled before anyone may spend. */
async function openDomain(
  config: Config,
  { log, secrets, shared, slots, store, journal, traffic, loader, recovered }: Books,
  { options, opened }: { readonly options: PlaneOptions; readonly opened: Opened },
): Promise<Omit<Plane, keyof AsyncDisposable>> {
  const clock = systemClock;
  const isLeasing = config.valkeyUrl !== undefined;
  const ledger = await createLedger({ store, clock, slots: slots.wallets, isLeasing });
  const engines = await superviseEngines({
    node: process.execPath,
    runDir: join(config.home, 'run'),
    deployments: [],
    slots: slots.deployments,
    log,
    clock,
  });
  opened.push(() => engines.stop());
  const catalog = await createCatalog({
    store,
    clock,
    seal: createSeal(secrets.master),
    slots: slots.deployments,
    engineBaseUrl: id => engines.baseUrl(id),
    log,
  });
  opened.push(() => catalog[Symbol.dispose]());
  await recover({ loader, journal, catalog });
  await recovered();
  const { nodeId } = journal;
  const cluster = await joinCluster(config, { store, nodeId, shared, slots, secrets, log, clock });
  opened.push(() => cluster?.[Symbol.asyncDispose]());
  await ledger.publishBalances(loader.charged());
  loader.onShippedAgain(ledger.settleSetBack);
  const newId = createUuid7(clock.nowMs);
  const walletsOf = (id: string) => ledger.walletsOf(id);
  const { pepper } = secrets;
  const budgets = cluster?.budgets;
  const identity = await createIdentity({ store, clock, newId, pepper, slots: slots.keys, walletsOf, budgets, log });
  opened.push(() => identity[Symbol.dispose]());
  cluster?.follow({ ledger, identity, catalog });
  const kept = { store, journal, loader, clock };
  const deps: ControlDeps = {
    ...kept,
    ledger,
    identity,
    catalog,
    slots,
    log,
    async publish() {
      await ledger.refresh();
      await identity.refresh();
      await catalog.refresh();
    },
    version: VERSION,
    newId,
    host: config.host,
    startedAtMs: clock.nowMs(),
    traffic,
    cluster,
    ...engineDeps({ engines, catalog, serves: options.serves }),
    backup: createBackup({ home: config.home, ...kept }),
    gatewayBusyMs: options.gatewayBusyMs ?? (() => []),
  };
  return { deps, shared, journal, loader, catalog, engines, pepper, log, cluster };
}

/** Brings the journal in, and settles what the last run left unsettled. Repeating it, also after a kill in its midst, changes nothing more. */
async function recover({
  loader,
  journal,
  catalog,
}: {
  readonly loader: Loader;
  readonly journal: Journal;
  readonly catalog: Catalog;
}): Promise<void> {
  await loader.flush();
  const open = await loader.openIntents();
  if (open.length === 0) return;
  const client = openJournalClient(journal.connect());
  await settleOrphans(open, {
    priceVersion: version => catalog.priceVersion(version),
    append: record => new Promise((done, failed) => client.append([record], fault => (fault ? failed(fault) : done()))),
    putAside: loader.putAside,
    nowMs: systemClock.nowMs,
  });
  client.close();
  await loader.flush();
}

/** The control plane without a server: what the command line uses when none runs on the home. */
export async function openControlPlane(
  config: Config,
): Promise<{ fetch(request: Request): Promise<Response>; close(): Promise<void> }> {
  const plane = await openPlane(config, {
    serves: false,
    onCrash: error => {
      throw error;
    },
  });
  const app = createControlApp(plane.deps, 'owner');
  return { fetch: async request => app.fetch(request), close: async () => plane[Symbol.asyncDispose]() };
}

export interface Running {
  readonly url: string;
  readonly models: readonly { readonly id: string; readonly ready: boolean }[];
  /** Made at the first start only; shown once. */
  readonly firstKey: string | undefined;
  /** Where a key can be made; undefined where there is no project yet. */
  readonly project: { readonly organizationId: string; readonly id: string } | undefined;
  /** Engines that do not start, and why; they are tried again. */
  readonly failedEngines: readonly {
    readonly deploymentId: string;
    readonly message: string;
    readonly messageZh: string;
  }[];
  /** Others may enter the home: what we make in it they cannot read, what was made before they perhaps can. */
  readonly isHomeOpen: boolean;
  /** VALKEY_URL is set, and nothing answers there: it is tried again. */
  readonly isValkeyAway: boolean;
  /** Ends when the server has stopped; the exit code. */
  readonly stopped: Promise<number>;
}

/** Starts the server. Throws Fault with one clear sentence where it cannot start. */
export async function serve(config: Config): Promise<Running> {
  // What a batch of the loader decodes outlives the small young generation of a fresh process; V8 then takes all that is made in
  // those places for long-lived, puts it into the old generation for good, and dead old objects keep young ones from being
  // collected. Without: 4 µs less a request in the loader and V8's own threads, gateway threads as they were (bench, json).
  setFlagsFromString('--no-allocation-site-pretenuring');
  const { promise: stopped, resolve: stop } = Promise.withResolvers<number>();
  const crash = (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(70);
  };
  let gateway: GatewayThreads | undefined;
  const plane = await openPlane(config, { serves: true, onCrash: crash, gatewayBusyMs: () => gateway?.busyMs() ?? [] });
  const servers: Server[] = [];
  try {
    servers.push(
      await listen(plane.deps, 'owner', controlSocket(config.home)),
      await listen(plane.deps, 'public', edgeSocket(config.home)),
    );
    gateway = await startGatewayThreads({
      shared: plane.shared,
      host: config.host,
      port: config.port,
      threads: config.threads,
      pepper: plane.pepper.reveal(),
      controlSocket: edgeSocket(config.home),
      logLevel: config.logLevel,
      silenceMs: config.silenceMs,
      crashAt: config.crashAt,
      connectJournal: () => plane.journal.connect(),
      supply: plane.cluster && (request => plane.cluster?.supply(request) ?? Promise.resolve({ supplied: false })),
      callers: () => plane.deps.identity.callers(),
      snapshot: () => plane.catalog.snapshot(),
      follow: informed => {
        plane.catalog.onChange(informed.snapshot);
        plane.deps.identity.onDelta(informed.callers);
      },
      log: plane.log,
      onCrash: crash,
    });
    const threads = gateway;
    plane.catalog.onChange(() => updateEngines(plane));
    // Only now that nothing can fail any more: a key that was made before would be lost with the message that it stands in.
    const firstKey = await plantDefaults(plane.deps);
    updateEngines(plane);
    plane.loader.start();
    await enginesReady(plane);
    const shutDown = async () => {
      plane.deps.slots.node.set('draining', 1);
      await threads.drain(config.drainMs);
      await plane.loader.flush();
      await threads.stop();
      for (const server of servers) server.close();
      await plane[Symbol.asyncDispose]();
      stop(0);
    };
    onStopSignal(config, () => void shutDown().catch(crash));
    return { ...(await startFacts(config, plane, { port: threads.port, firstKey })), stopped };
  } catch (error) {
    await gateway?.stop();
    for (const server of servers) server.close();
    await plane[Symbol.asyncDispose]();
    throw error;
  }
}

async function startFacts(
  config: Config,
  { deps, catalog, engines }: Plane,
  { port, firstKey }: { readonly port: number; readonly firstKey: string | undefined },
): Promise<Omit<Running, 'stopped'>> {
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return {
    url: `http://${host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host}:${port}`,
    models: [...catalog.snapshot().models.values()].map(model => ({ id: model.id, ready: isReady(deps, model) })),
    firstKey,
    project: await firstProject(deps),
    failedEngines: engines
      .status()
      .flatMap(({ deploymentId, state, lastFailure }) =>
        lastFailure && state !== 'ready' ? [{ deploymentId, ...lastFailure }] : [],
      ),
    isHomeOpen: isOpenToOthers(config.home),
    isValkeyAway: deps.cluster?.status().valkeyUp === false,
  };
}

function updateEngines({ engines, catalog }: Plane): void {
  void engines.update(catalog.engines().map(engine => ({ ...engine, file: modelFile(engine.file) })));
}

/** What is printed at start must work when it is typed: waits for the engines, within bounds, and not for one that fails. */
async function enginesReady({ catalog, deps, engines }: Plane): Promise<void> {
  const until = systemClock.monotonicMs() + ENGINES_READY_MS;
  const loading = () => {
    const failed = new Set(engines.status().flatMap(engine => (engine.lastFailure ? [engine.deploymentId] : [])));
    return catalog
      .engines()
      .some(({ deploymentId, slot }) => !failed.has(deploymentId) && deps.slots.deployments.get(slot, 'ready') !== 1);
  };
  while (loading() && systemClock.monotonicMs() < until) await new Promise(resolveWait => setTimeout(resolveWait, 20));
}

async function listen(deps: ControlDeps, access: 'owner' | 'public', path: string): Promise<Server> {
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
