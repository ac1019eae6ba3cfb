import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startJournal } from '../../ground/journal/index.ts';
import { createLog, createSlots, Secret } from '../../ground/std/index.ts';
import type { CatalogSnapshot } from '../../models/catalog/index.ts';
import { type CallerRecord, createKeyHasher, createKeyText } from '../../people/callers/index.ts';
import { type Informed, startGatewayThreads } from './gateway-threads.ts';

const PEPPER = 'pepper';
const EMPTY: CatalogSnapshot = { revision: 0, models: new Map() };

function callerOf(key: string, slot: number): CallerRecord {
  return {
    ...{ keyId: `key_${slot}`, mac: createKeyHasher(new Secret(PEPPER))(key), slot, weight: 1, scopes: {} },
    ...{ organizationId: 'acme', projectId: 'web', wallets: [] },
  };
}

test('what changes while threads start reaches each of them', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'threads-'));
  const shared = createSlots();
  const fail = (error: unknown) => {
    throw error;
  };
  const journal = await startJournal({ dir: join(dir, 'journal'), shared, onCrash: fail });
  const [old, added] = [createKeyText('live'), createKeyText('live')];
  let informed: Informed | undefined;
  let asked = 0;
  const starting = startGatewayThreads({
    ...{ shared, host: '127.0.0.1', port: 0, threads: 2, pepper: PEPPER, controlSocket: join(dir, 'none.sock') },
    ...{
      logLevel: 'silent',
      silenceMs: 10_000,
      crashAt: undefined,
      trustedProxies: [],
      corsOrigins: [],
      bodyLimits: { nodeBytes: 1e9, keyBytes: 1e9 },
      supply: undefined,
      log: createLog('silent'),
      onCrash: fail,
    },
    connectJournal: () => journal.connect(),
    // For the first thread as it was, for the second as it is by then.
    callers: () => (asked++ === 0 ? [callerOf(old, 1)] : [callerOf(added, 2)]),
    snapshot: () => EMPTY,
    follow: threads => {
      informed = threads;
    },
  });
  informed?.callers({ upserted: [callerOf(added, 2)], removed: ['key_1'] });
  const threads = await starting;
  try {
    const status = async (key: string) => {
      // A connection of its own for each: whichever thread takes it must know.
      const headers = { authorization: `Bearer ${key}`, connection: 'close' };
      return (await fetch(`http://127.0.0.1:${threads.port}/v1/models`, { headers })).status;
    };
    for (let count = 0; count < 16; count++) assert.deepEqual([await status(old), await status(added)], [401, 200]);
  } finally {
    await threads.drain(1_000);
    await threads.stop();
    await journal[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true });
  }
});
