import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import {
  type KeyScopesSpec,
  keyCreatedSchema,
  type UsageLine,
  usageSchema,
  verifySchema,
  type WalletView,
  walletListSchema,
} from '@millrace/contract';

/** An organization as the owner of the home sees it, over the control socket: a few milliseconds where the tool needs a process. */
export interface Account {
  newKey(scopes?: KeyScopesSpec): Promise<string>;
  /** The only one it has. */
  wallet(): Promise<WalletView>;
  /** What was settled for a request. Fails unless it is exactly one. */
  line(requestId: string | null | undefined): Promise<UsageLine>;
  /** Waits until nothing is held: every request is settled. */
  settled(): Promise<void>;
  /** Proves the ledger. */
  verify(): Promise<void>;
}

export function openAccount(home: string, organization = 'default', project = 'default'): Account {
  const call = (method: string, path: string, body?: object) =>
    new Promise<unknown>((done, failed) => {
      const headers = { 'content-type': 'application/json' };
      const socketPath = join(home, 'control.sock');
      // A connection each: one that is kept may be closed while a test is busy elsewhere.
      request({ socketPath, path: `/api/v1${path}`, method, headers, agent: false }, answer => {
        json(answer).then(value => {
          if (answer.statusCode === 200 || answer.statusCode === 201) done(value);
          else failed(new Error(`${answer.statusCode} ${JSON.stringify(value)}`));
        }, failed);
      })
        .on('error', failed)
        .end(body === undefined ? undefined : JSON.stringify(body));
    });
  const wallet = async () => {
    const { wallets } = walletListSchema.parse(await call('GET', `/organizations/${organization}/wallets`));
    const [only, more] = wallets;
    assert.ok(only && !more, 'one wallet');
    return only;
  };
  return {
    wallet,
    async newKey(scopes = {}) {
      const wanted = { organizationId: organization, projectId: project, scopes };
      return keyCreatedSchema.parse(await call('POST', '/keys', wanted)).key;
    },
    async line(requestId) {
      const { lines } = usageSchema.parse(await call('GET', `/usage?organization=${organization}&limit=1000`));
      const [only, more] = lines.filter(line => line.requestId === requestId);
      assert.ok(only && !more, `one settlement of ${requestId}`);
      return only;
    },
    async settled() {
      while ((await wallet()).held !== '0');
    },
    async verify() {
      const { ok, invariants } = verifySchema.parse(await call('POST', '/ledger/verify', {}));
      assert.ok(ok, JSON.stringify(invariants.filter(invariant => !invariant.ok)));
    },
  };
}
