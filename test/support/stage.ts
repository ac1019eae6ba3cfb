import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Books, openBooks } from './books.ts';
import { type FakeUpstream, startFakeUpstream } from './fake-upstream.ts';
import { newHome, startServer, type TestServer } from './server.ts';

/**
 * A model and the upstream models that serve it, in their order. Its provider has its name and is its alone, so that no other
 * model meets the connections on which its upstream dies.
 */
export interface StagedModel {
  readonly id: string;
  readonly upstreamModels: readonly string[];
  /** It goes on when its client leaves, and bills. */
  readonly drains?: boolean;
  readonly concurrency?: number;
}

/** The real server with a provider that can misbehave and one customer, whose wallet holds {@link CREDIT_NANO}. */
export interface Stage extends AsyncDisposable {
  readonly server: TestServer;
  readonly upstream: FakeUpstream;
  readonly books: Books;
  readonly key: string;
}

export const CREDIT_NANO = 100_000_000_000n;
/** What each model costs the customer, and half of it us. */
export const INPUT_NANO = 4_000;
export const OUTPUT_NANO = 16_000;

export async function openStage(models: readonly StagedModel[]): Promise<Stage> {
  const { home, remove } = newHome();
  const upstream = await startFakeUpstream();
  const server = await startServer(home);
  const config = {
    providers: models.map(({ id, drains }) => ({
      ...{ id, baseUrl: upstream.baseUrl, apiKey: 'secret', allowPrivateNetwork: true },
      quirks: drains ? ['drain-on-disconnect'] : [],
    })),
    models: models.map(({ id, upstreamModels, concurrency }) => ({
      id,
      prices: [{ currency: 'CNY', inputPerM: '4', outputPerM: '16' }],
      deployments: upstreamModels.map((upstreamModel, priority) => ({
        ...{ id: upstreamModel, provider: id, upstreamModel, priority, concurrency },
        costs: [{ currency: 'CNY', inputPerM: '2', outputPerM: '8' }],
      })),
    })),
    organizations: [{ id: 'acme', wallet: { currency: 'CNY', credit: '100' }, projects: [{ id: 'web' }] }],
  };
  const file = join(home, '..', 'config.json');
  writeFileSync(file, JSON.stringify(config));
  const applied = await server.cli('apply', '-f', file);
  assert.equal(applied.code, 0, applied.err);
  const key = await server.cli('key', 'create', '--org', 'acme', '--project', 'web');
  const admin = await server.cli('key', 'create', '--admin', '--name', 'test');
  return {
    server,
    upstream,
    books: openBooks(server, 'acme', String(admin.json['key'])),
    key: String(key.json['key']),
    async [Symbol.asyncDispose]() {
      await server.signal('SIGKILL');
      await upstream.close();
      remove();
    },
  };
}
