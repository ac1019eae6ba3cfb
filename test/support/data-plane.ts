import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BodyRoomLimits, createBodyRoom } from '../../src/gateway/stages/body-room.ts';
import { createFailureNotes, type UpstreamFailure } from '../../src/gateway/stages/failures.ts';
import { createClientAddress } from '../../src/gateway/surfaces/client-address.ts';
import type { Exchange } from '../../src/gateway/surfaces/exchange-deps.ts';
import { createDataPlane } from '../../src/gateway/surfaces/http.ts';
import { createRunning, type Running } from '../../src/gateway/surfaces/running.ts';
import {
  ENTRY_KIND,
  type JournalClient,
  openJournalClient,
  type Settlement,
  startJournal,
} from '../../src/ground/journal/index.ts';
import {
  type Clock,
  createEgress,
  createSlots,
  createUuid7,
  every,
  type Log,
  openSlots,
  Secret,
  type Slots,
  silentLog,
  systemClock,
} from '../../src/ground/std/index.ts';
import type { CatalogSnapshot, Deployment, Model, Quirk } from '../../src/models/catalog/index.ts';
import { codecs } from '../../src/models/dialects/index.ts';
import type { PriceVersion } from '../../src/money/pricing/index.ts';
import {
  type CallerRecord,
  createCallerIndex,
  createKeyHasher,
  createKeyText,
} from '../../src/people/callers/index.ts';
import { createUpstreams } from '../../src/serving/engines/index.ts';
import { createPlaceQueue, createTurnCells, openTurns } from '../../src/serving/routing/index.ts';

/** One gateway thread's data plane in this process, on a port of its own, with a real journal: what a process cannot be told. */
export interface TestDataPlane extends AsyncDisposable {
  readonly url: string;
  readonly key: string;
  readonly slots: Slots;
  readonly running: Running<Exchange>;
  /** What the only wallet holds at the start. */
  readonly walletNano: bigint;
  spendableNano(): bigint;
  /** Why deployments failed, as the operator is told. */
  readonly failed: readonly UpstreamFailure[];
  /** All that is in the journal. */
  settlements(): readonly Settlement[];
}

export interface TestDeployment {
  /** Of model, deployment and upstream model alike. */
  readonly id: string;
  readonly concurrency?: number;
  readonly quirks?: readonly Quirk[];
  /** What its model is, besides. */
  readonly model?: Partial<Model>;
  /** What its model is served by, in this order; itself alone unless told otherwise. */
  readonly targets?: readonly TestTarget[];
}

/** A deployment of its own, whose id is that of its upstream model too. */
export type TestTarget = Pick<Deployment, 'id'> &
  Partial<Pick<Deployment, 'timeoutMs' | 'retriesTimeouts' | 'costs' | 'upstream' | 'upstreamModel' | 'concurrency'>>;

/** What the catalog sets. */
export const TIMEOUT_MS = { connect: 10_000, firstByte: 120_000, answer: 600_000, idle: 120_000, total: 1_800_000 };
const WALLET = 7;
const WALLET_NANO = 1_000_000_000_000n;

interface TestDataPlaneOptions {
  /** Stands between the data plane and the journal: a slow disk, say. */
  readonly wrap?: (journal: JournalClient) => JournalClient;
  readonly clock?: Clock;
  readonly silenceMs?: number;
  /** What the only wallet holds at the start. */
  readonly walletNano?: bigint;
  /** Behind the one in CNY; filled through the slots. */
  readonly otherWallets?: CallerRecord['wallets'];
  readonly bodyLimits?: BodyRoomLimits;
  /** Of the key. */
  readonly scopes?: CallerRecord['scopes'];
  readonly log?: Log;
  readonly trustedProxies?: readonly string[];
  readonly corsOrigins?: readonly string[];
}

export async function openDataPlane(
  baseUrl: string,
  deployments: readonly TestDeployment[],
  {
    wrap = journal => journal,
    clock = systemClock,
    walletNano = WALLET_NANO,
    otherWallets = [],
    silenceMs = 10_000,
    bodyLimits = { nodeBytes: 268_435_456, keyBytes: 67_108_864 },
    scopes = {},
    log = silentLog,
    ...edge
  }: TestDataPlaneOptions = {},
): Promise<TestDataPlane> {
  const dir = mkdtempSync(join(tmpdir(), 'plane-'));
  const shared = createSlots();
  const slots = openSlots(shared);
  slots.wallets.add(WALLET, walletNano);
  const fail = (error: Error) => {
    throw error;
  };
  const journal = await startJournal({ dir: join(dir, 'journal'), shared, onCrash: fail });
  const client = openJournalClient(journal.connect());
  const { key, callers } = oneCaller(slots, scopes, otherWallets);
  const turns = openTurns(createTurnCells());
  const queue = createPlaceQueue<Deployment>({ loads: slots.deployments, turns, clock, every });
  const failed: UpstreamFailure[] = [];
  const upstreams = createUpstreams({ egress: createEgress({ clock }), clock, log });
  const running = createRunning<Exchange>();
  const snapshot = snapshotOf(baseUrl, deployments);
  const server = createDataPlane({
    ...{ slots, upstreams, queue, running, callers, clock, log, logRequests: false, silenceMs },
    journal: wrap(client),
    codec: codecs['openai-chat'],
    newRequestId: createUuid7(clock.nowMs),
    snapshot: () => snapshot,
    corsOrigins: new Set(edge.corsOrigins),
    clientAddress: createClientAddress(edge.trustedProxies ?? []),
    room: createBodyRoom(slots.bodies, bodyLimits, slots.keys),
    failures: createFailureNotes({ log, clock, tell: failure => failed.push(failure) }),
    control: { forward: http => http.send(404, [], ''), close: () => {} },
  });
  const port = await server.listen({ port: 0, host: '127.0.0.1', reusePort: false });
  return {
    url: `http://127.0.0.1:${port}`,
    key,
    slots,
    running,
    failed,
    walletNano,
    spendableNano: () => slots.wallets.spendable(WALLET),
    settlements: () =>
      journal.reader
        .read(0, 1_000_000)
        .flatMap(({ record }) => (record.kind === ENTRY_KIND.settlement ? [record.value] : [])),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await upstreams.close();
      client.close();
      await journal[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true });
    },
  };
}

/** The one key there is, without limits. */
function oneCaller(slots: Slots, scopes: CallerRecord['scopes'], otherWallets: CallerRecord['wallets']) {
  const hash = createKeyHasher(new Secret('pepper'));
  const key = createKeyText('live');
  const callers = createCallerIndex({ hash, slots: slots.keys });
  callers.apply({
    upserted: [
      {
        ...{ keyId: 'key_1', mac: hash(key), organizationId: 'acme', projectId: 'web', slot: 1, weight: 1, scopes },
        wallets: [{ currency: 'CNY', slot: WALLET }, ...otherWallets],
      },
    ],
    removed: [],
  });
  return { key, callers };
}

/** In CNY unless told otherwise. */
export function testPrice(version: string, inputNano: bigint, currency = 'CNY'): PriceVersion {
  const nanoPerMillion = { input: inputNano, output: inputNano * 4n };
  return { version, currency, effectiveFromMs: 0, rounding: 'ceil', nanoPerMillion };
}

/** Prices as everywhere in these tests: 4 and 16 per million tokens, half of it for us. */
function snapshotOf(baseUrl: string, deployments: readonly TestDeployment[]): CatalogSnapshot {
  const upstream = {
    providerId: 'mock',
    dialect: 'openai-chat',
    baseUrl,
    allowPrivateNetwork: true,
    quirks: [],
  } as const;
  let slot = 0;
  const models = deployments.map(({ id, targets = [{ id }], quirks = [], model = {}, ...more }) => ({
    ...({ id, operations: ['chat'], maxOutputTokens: 4_096, createdAtMs: 0, ownedBy: 'mock' } as const),
    prices: [testPrice('sell', 4_000_000_000n)],
    deployments: targets.map((target, priority) => ({
      ...{ upstream: { ...upstream, quirks }, upstreamModel: target.id, embedded: false, slot: slot++ },
      ...{ priority, weight: 1, timeoutMs: TIMEOUT_MS, retriesTimeouts: false },
      costs: [testPrice('cost', 2_000_000_000n)],
      ...more,
      ...target,
    })),
    ...model,
  }));
  return { revision: 1, models: new Map(models.map(model => [model.id, model])) };
}
