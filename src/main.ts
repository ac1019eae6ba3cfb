// The composition root: the only file that starts things. What there is to start is listed in `parts/`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import type { Config } from './config.ts';
import { createControlApp, firstProject, isDemonstration, isReady, type TryProject } from './control/index.ts';
import { isOpenToOthers, onStopSignal } from './ground/std/index.ts';
import {
  CONTROL_PARTS,
  catalog,
  control,
  engines,
  firstKey,
  gateway,
  loader,
  type Opening,
  openParts,
  SERVER_PARTS,
} from './parts/index.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const VERSION: string = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;

const ENGINES_READY_MS = 20_000;

/** The control plane without a server: what the command line uses when none runs on the home. */
export async function openControlPlane(
  config: Config,
): Promise<{ fetch(request: Request): Promise<Response>; close(): Promise<void> }> {
  const onCrash = (error: unknown) => {
    throw error;
  };
  const opening = await openParts(CONTROL_PARTS, { config, version: VERSION, serves: false, onCrash });
  const app = createControlApp(await control.in(opening), 'owner');
  return { fetch: async request => app.fetch(request), close: async () => opening[Symbol.asyncDispose]() };
}

export interface Running {
  readonly url: string;
  readonly models: readonly { readonly id: string; readonly ready: boolean; readonly isDemonstration: boolean }[];
  /** Made at the first start only; shown once. */
  readonly firstKey: string | undefined;
  /** Where a key can be made; undefined where there is no project yet. */
  readonly project: TryProject | undefined;
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
  const opening = await openParts(SERVER_PARTS, { config, version: VERSION, serves: true, onCrash: crash });
  try {
    await enginesReady(opening);
    onStopSignal(config, () => void shutDown(opening).then(() => stop(0), crash));
    return { ...(await startFacts(opening)), stopped };
  } catch (error) {
    await opening[Symbol.asyncDispose]();
    throw error;
  }
}

/** Running requests end, and all that they cost is booked, before anything is closed. */
async function shutDown(opening: Opening): Promise<void> {
  const [{ slots }, threads, into] = await Promise.all([control.in(opening), gateway.in(opening), loader.in(opening)]);
  slots.node.set('draining', 1);
  await threads.drain(opening.start.config.drainMs);
  await into.flush();
  await opening[Symbol.asyncDispose]();
}

async function startFacts(opening: Opening): Promise<Omit<Running, 'stopped'>> {
  const { config } = opening.start;
  const deps = await control.in(opening);
  const { port } = await gateway.in(opening);
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const models = deps.catalog.snapshot().models.values();
  return {
    url: `http://${host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host}:${port}`,
    models: [...models].map(model => ({
      id: model.id,
      ready: isReady(deps, model),
      isDemonstration: isDemonstration(deps.catalog, model),
    })),
    firstKey: await firstKey.in(opening),
    project: await firstProject(deps),
    failedEngines: deps
      .engineStatus()
      .flatMap(({ deploymentId, phase, lastFailure }) =>
        lastFailure && phase === 'failed' ? [{ deploymentId, ...lastFailure }] : [],
      ),
    isHomeOpen: isOpenToOthers(config.home),
    isValkeyAway: deps.cluster?.status().valkeyUp === false,
  };
}

/** What is printed at start must work when it is typed: waits for the engines, within bounds, and not for one that fails. */
async function enginesReady(opening: Opening): Promise<void> {
  const [models, hosts] = await Promise.all([catalog.in(opening), engines.in(opening)]);
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => {
    const phases = new Map(hosts.status().map(({ deploymentId, phase }) => [deploymentId, phase]));
    const isLoading = models
      .engines()
      .some(({ deploymentId }) => (phases.get(deploymentId) ?? 'loading') === 'loading');
    if (!isLoading) resolve();
  };
  const timer = setTimeout(resolve, ENGINES_READY_MS);
  const leave = hosts.onChange(look);
  look();
  await promise;
  leave();
  clearTimeout(timer);
}
