import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONTROL_SCHEMA,
  type ControlDeps,
  createBackup,
  createControlApp,
  createTraffic,
} from '../../src/control/index.ts';
import type { UpstreamFailure } from '../../src/gateway/index.ts';
import { createJobs, JOBS_SCHEMA } from '../../src/ground/jobs/index.ts';
import { startJournal } from '../../src/ground/journal/index.ts';
import {
  createSlots,
  createUuid7,
  Fault,
  openSlots,
  readSecrets,
  silentLog,
  systemClock,
} from '../../src/ground/std/index.ts';
import { openStore } from '../../src/ground/store/index.ts';
import { createCatalog, createSeal } from '../../src/models/catalog/index.ts';
import { createLedger, createLoader } from '../../src/money/ledger/index.ts';
import { AUDIT_SCHEMA, createAudit } from '../../src/people/audit/index.ts';
import { createIdentity } from '../../src/people/identity/index.ts';

type App = ReturnType<typeof createControlApp>;

/** A control plane on a home of its own: the real store, journal and domain folders; no gateway and no engine. */
export interface TestPlane extends AsyncDisposable {
  readonly home: string;
  readonly deps: ControlDeps;
  /** What the gateways would tell of upstreams. */
  readonly failures: Map<string, UpstreamFailure>;
  readonly owner: App;
  readonly public: App;
}

/** No engine runs, and the one file that is there is `good.gguf`. */
const NO_ENGINES: Pick<ControlDeps, 'engineStatus' | 'startEngine' | 'inspectModel'> = {
  engineStatus: () => [],
  startEngine() {},
  async inspectModel(file) {
    if (file.endsWith('good.gguf')) return { name: 'Good', contextTokens: 512 };
    throw new Fault('config_invalid', {
      message: `${file}: cannot be opened (ENOENT)`,
      messageZh: `${file}：无法打开（ENOENT）`,
    });
  },
};

export async function openTestPlane({ host = '127.0.0.1' }: { readonly host?: string } = {}): Promise<TestPlane> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-control-'));
  const shared = createSlots();
  const slots = openSlots(shared);
  const fail = (error: unknown) => {
    throw error;
  };
  const { pepper, master } = readSecrets(home, []);
  const store = await openStore({
    file: join(home, 'store.db'),
    rooms: [JOBS_SCHEMA, AUDIT_SCHEMA, CONTROL_SCHEMA],
  });
  const jobs = await createJobs({ store, clock: systemClock, log: silentLog, kinds: [] });
  const journal = await startJournal({ dir: join(home, 'journal'), shared, onCrash: fail, reserveBytes: 4_096 });
  const newId = createUuid7(systemClock.nowMs);
  const traffic = createTraffic();
  const onSettled = traffic.settled;
  const loader = await createLoader({ store, journal, log: silentLog, onError: fail, onSettled });
  const ledger = await createLedger({ store, clock: systemClock, slots: slots.wallets });
  const seal = createSeal(master);
  const engineBaseUrl = (id: string) => `unix:/run/${id}.sock:/v1`;
  const catalog = await createCatalog({ store, clock: systemClock, seal, slots: slots.deployments, engineBaseUrl });
  const identity = await createIdentity({
    store,
    clock: systemClock,
    newId,
    pepper,
    slots: slots.keys,
    walletsOf: id => ledger.walletsOf(id),
  });
  const failures = new Map<string, UpstreamFailure>();
  const deps: ControlDeps = {
    store,
    jobs,
    audit: createAudit({ store, clock: systemClock }),
    ledger,
    ...{ identity, catalog, loader, journal, slots, traffic, newId, host },
    log: silentLog,
    clock: systemClock,
    version: '0.0.0-test',
    startedAtMs: systemClock.nowMs(),
    async publish() {
      await ledger.refresh();
      await identity.refresh();
      await catalog.refresh();
    },
    ...NO_ENGINES,
    backup: createBackup({ home, store, journal, loader, clock: systemClock }),
    cluster: undefined,
    gatewayBusyMs: () => [],
    lastFailure: id => failures.get(id),
  };
  return {
    home,
    deps,
    failures,
    owner: createControlApp(deps, 'owner'),
    public: createControlApp(deps, 'public'),
    async [Symbol.asyncDispose]() {
      await jobs[Symbol.asyncDispose]();
      await loader.stop();
      await journal[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      rmSync(home, { recursive: true });
    },
  };
}

/** Sends a request as JSON and reads the answer as JSON. */
export async function callJson(
  app: App,
  target: string,
  {
    method = 'GET',
    body,
    headers = {},
  }: { readonly method?: string; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: unknown }> {
  const init: RequestInit = { method, headers: { host: 'localhost', ...headers } };
  if (body !== undefined) init.body = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await app.request(`http://localhost${target}`, init);
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}
