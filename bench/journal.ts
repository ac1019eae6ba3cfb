// What the money path costs a request: the journal (intent and settlement durable), the loader (journal to ledger), the proof.
// Run: node bench/journal.ts [requests] [at once] [threads that append]. Prints JSON. CPU is that of the whole process, all threads.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  encodeRecord,
  type Journal,
  type JournalRecord,
  openJournalClient,
  startJournal,
} from '../src/ground/journal/index.ts';
import { createSlots, createUuid7, openSlots, silentLog, systemClock } from '../src/ground/std/index.ts';
import { openStore, type Store } from '../src/ground/store/index.ts';
import { createLedger, createLoader, verifyLedger } from '../src/money/ledger/index.ts';
import { rate } from '../src/money/pricing/index.ts';
import { plantPrice } from '../test/support/prices.ts';
import { attempt, intent, settlement } from '../test/support/records.ts';

const ORGANIZATIONS = 8;
const KEYS = 64;
const SAMPLES = 20_000;
const usage = { inputTokens: 23, cachedInputTokens: 0, outputTokens: 64, reasoningTokens: 0 };
const sell = { input: 4_000_000_000n, output: 16_000_000_000n };
const buy = { input: 2_000_000_000n, output: 8_000_000_000n };

interface Run {
  readonly requests: number;
  readonly atOnce: number;
  readonly priceVersion: string;
  readonly costVersion: string;
  readonly amountNano: bigint;
  readonly costNano: bigint;
  readonly thread: number;
}

function recordsOf(run: Run, id: string, count: number): readonly [JournalRecord, JournalRecord] {
  const { priceVersion, costVersion, amountNano, costNano } = run;
  const nowMs = Date.now();
  const keyId = `key_${run.thread}_${count % KEYS}` as const;
  return [
    intent(id, amountNano * 4n, {
      atMs: nowMs,
      organizationId: `org-${count % ORGANIZATIONS}`,
      keyId,
      priceVersion,
      costVersion,
      inputTokensMax: 200,
      outputTokensMax: 4_096,
      expiresAtMs: nowMs + 600_000,
    }),
    settlement(id, {
      atMs: nowMs,
      usage,
      amountNano,
      priceVersion,
      ttftMs: 12,
      durationMs: 345,
      holdNano: amountNano * 4n,
      attempts: [attempt({ usage, costVersion, costNano, upstreamRequestId: 'chatcmpl-0123456789', durationMs: 344 })],
    }),
  ];
}

/** Intent, answer, settlement, answer, for each request; `atOnce` of them run side by side. */
async function appendAll(port: MessagePort, run: Run): Promise<void> {
  const client = openJournalClient(port);
  const newId = createUuid7(Date.now);
  let started = 0;
  await new Promise<void>((resolve, reject) => {
    let ended = 0;
    const next = () => {
      if (started >= run.requests) return;
      const [promise, fact] = recordsOf(run, newId(), started++);
      client.append([promise], refused => {
        if (refused) return reject(refused);
        client.append([fact], lost => {
          if (lost) return reject(lost);
          if (++ended === run.requests) resolve();
          next();
        });
      });
    };
    for (let running = 0; running < run.atOnce; running++) next();
  });
  client.close();
}

interface Measured {
  readonly cpuUs: number;
  readonly wallUs: number;
}

async function measured(requests: number, work: () => Promise<unknown>): Promise<Measured> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  const each = (us: number) => Math.round((us / requests) * 100) / 100;
  return { cpuUs: each(user + system), wallUs: each((performance.now() - started) * 1000) };
}

async function journalCost(journal: Journal, run: Run, threads: number): Promise<Measured> {
  const workers = Array.from({ length: threads }, (_, thread) => {
    const port = journal.connect();
    return new Worker(new URL(import.meta.url), {
      workerData: { port, run: { ...run, thread } },
      transferList: [port],
    });
  });
  await Promise.all(workers.map(worker => new Promise(resolve => worker.once('message', resolve))));
  return measured(run.requests * threads, () =>
    Promise.all(
      workers.map(worker => {
        const ended = new Promise(resolve => worker.once('exit', resolve));
        worker.postMessage('go');
        return ended;
      }),
    ),
  );
}

async function plantWallets(store: Store, shared: ReturnType<typeof createSlots>): Promise<void> {
  const ledger = await createLedger({ store, clock: systemClock, slots: openSlots(shared).wallets });
  for (let index = 0; index < ORGANIZATIONS; index++) {
    const organizationId = `org-${index}`;
    await store.transaction(trx =>
      ledger.credit(trx, { organizationId, currency: 'CNY', amountNano: 10n ** 17n, idempotencyKey: 'bench' }),
    );
  }
}

/** Longest time in which the thread had no turn for anything else. */
async function longestTurn<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly longestTurnMs: number }> {
  let longestMs = 0;
  let last = performance.now();
  let running = true;
  const beat = () => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
    if (running) setImmediate(beat);
  };
  beat();
  const value = await work();
  running = false;
  return { value, longestTurnMs: Math.round(longestMs * 10) / 10 };
}

async function main(requests: number, atOnce: number, threads: number): Promise<unknown> {
  const home = mkdtempSync(join(tmpdir(), 'mr-bench-journal-'));
  const shared = createSlots();
  const onCrash = (error: unknown) => {
    throw error;
  };
  const journal = await startJournal({ dir: join(home, 'journal'), shared, onCrash });
  const store = await openStore({ file: join(home, 'store.db') });
  try {
    const price = await plantPrice(store, { of: 'model', ...sell });
    const cost = await plantPrice(store, { of: 'deployment', ...buy });
    await plantWallets(store, shared);
    const run: Run = {
      requests: Math.ceil(requests / threads),
      atOnce: Math.ceil(atOnce / threads),
      priceVersion: price.version,
      costVersion: cost.version,
      amountNano: rate(usage, price).amountNano,
      costNano: rate(usage, cost).amountNano,
      thread: 0,
    };
    const newId = createUuid7(Date.now);
    const samples = Array.from({ length: SAMPLES }, (_, index) => recordsOf(run, newId(), index));
    const encode = await measured(SAMPLES, async () => {
      for (const pair of samples) pair.forEach(encodeRecord);
    });
    const total = run.requests * threads;
    const append = await journalCost(journal, run, threads);
    const loader = await createLoader({ store, journal, log: silentLog, onError: onCrash });
    const { value: load, longestTurnMs } = await longestTurn(() => measured(total, () => loader.flush()));
    const { nodeId, reader } = journal;
    const verify = await measured(total, async () => {
      const result = await verifyLedger(store, { nodeId, reader, nowMs: Date.now() });
      if (!result.ok) throw new Error(JSON.stringify(result.invariants.filter(({ ok }) => !ok)));
    });
    const perRequest = { encode, journal: append, loader: load, verify };
    return { bench: 'journal', node: process.version, requests: total, atOnce, threads, perRequest, longestTurnMs };
  } finally {
    await store[Symbol.asyncDispose]();
    await journal[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
  }
}

if (isMainThread) {
  const [requests = 50_000, atOnce = 64, threads = 1] = process.argv.slice(2).map(Number);
  process.stdout.write(`${JSON.stringify(await main(requests, atOnce, threads), null, 2)}\n`);
} else {
  const { port, run }: { port: MessagePort; run: Run } = workerData;
  parentPort?.once('message', () => void appendAll(port, run).then(() => parentPort?.close()));
  parentPort?.postMessage('ready');
}
