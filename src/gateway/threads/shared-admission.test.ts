import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlots, type Fault, openKeyShares, openSlots, openTerm } from '../../ground/std/index.ts';
import { codecs } from '../../models/dialects/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import type { Plan } from '../stages/plan.ts';
import { createSharedAdmission, type Supply, type SupplyRequest } from './shared-admission.ts';

const upstream = {
  providerId: 'p',
  dialect: 'openai-chat',
  baseUrl: '',
  allowPrivateNetwork: true,
  quirks: [],
} as const;
const price = { version: 'v', currency: 'CNY', effectiveFromMs: 0, rounding: 'ceil' } as const;
const model = { id: 'm', operations: ['chat'], maxOutputTokens: 10, createdAtMs: 0, ownedBy: 'p' } as const;
const timeoutMs = { connect: 1, firstByte: 1, answer: 1, idle: 1, total: 1 };
const prices = [{ ...price, nanoPerMillion: { input: 0n, output: 1_000_000n } }] as const;
const deployment = {
  id: 'd',
  upstream,
  upstreamModel: 'm',
  embedded: false,
  slot: 0,
  priority: 0,
  weight: 1,
  retriesTimeouts: false,
} as const;
const payer = { price: prices[0], wallet: { currency: 'CNY', slot: 3 } };
/** Ten nano a request. */
const plan: Plan = {
  model: { ...model, prices, deployments: [{ ...deployment, timeoutMs, costs: [] }] },
  ...payer,
  payers: [payer],
  targets: [{ ...deployment, timeoutMs, costs: [] }],
  maxOutputTokens: 10,
  outputTokensMax: 10,
  outputTokensHeld: 10,
  smallerHolds: [],
};
const asks = { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };
const call = codecs['openai-chat'].decodeRequest('chat', Buffer.from(JSON.stringify(asks)));
const caller = (scopes: CallerRecord['scopes'] = {}): CallerRecord => ({
  ...{ keyId: 'key_1', mac: '', organizationId: 'acme', projectId: 'web', slot: 5, weight: 1, scopes },
  wallets: [{ currency: 'CNY', slot: 3 }],
});

function open(supply: (slots: ReturnType<typeof openSlots>, shares: ReturnType<typeof openKeyShares>) => Supply) {
  const shared = createSlots();
  const slots = openSlots(shared, 'shares');
  const at = { ms: 0 };
  const clock = { nowMs: () => at.ms, monotonicMs: () => at.ms };
  const term = openTerm(shared.term, { nowMs: clock.nowMs, bootMs: clock.nowMs });
  term.extend(term.now(), 10_000);
  const admission = createSharedAdmission({ slots, term, clock, supply: supply(slots, openKeyShares(shared)) });
  const admitted = (of: CallerRecord) =>
    new Promise<string>(done => {
      const refused = (fault: Fault) => done(`${fault.code} ${fault.details.retryAfterMs ?? ''}`.trim());
      admission.enter(of, {
        granted: entry =>
          admission.admit(entry, call, {
            plan,
            granted: ticket => done(`held ${ticket.hold.nano()}`),
            refused: fault => {
              entry.cancel();
              refused(fault);
            },
          }),
        refused,
      });
    });
  return { slots, term, at, admitted };
}

test('what is at hand asks nobody; what is short is asked for, and refused where there is none', async () => {
  const asked: SupplyRequest[] = [];
  const { slots, admitted } = open((own, shares) => (request, answered) => {
    asked.push(request);
    const { need } = request;
    if (need.what === 'money' && asked.length === 1) {
      own.wallets.add(3, 10n);
      answered({ supplied: true });
    } else if (need.what === 'requests') {
      shares.add(5, 'requests', 1n);
      answered({ supplied: true });
    } else answered({ supplied: false, ...(need.what === 'places' ? { retryAfterMs: 700 } : {}) });
  });
  slots.wallets.add(3, 10n);
  assert.equal(await admitted(caller()), 'held 10');
  assert.deepEqual(asked, []);
  assert.equal(await admitted(caller()), 'held 10');
  assert.deepEqual(asked, [{ keySlot: 5, walletSlot: 3, need: { what: 'money', nano: 10n } }]);
  assert.equal(await admitted(caller()), 'insufficient_funds');
  slots.wallets.add(3, 10n);
  assert.equal(await admitted(caller({ requestsPerMinute: 1 })), 'held 10');
  assert.equal(await admitted(caller({ concurrency: 1 })), 'rate_limited 700');
  assert.equal(slots.keys.inFlight(5), 0);
});

test('who is promised something again and again and does not get it is refused in the end', async () => {
  let asked = 0;
  const { admitted } = open(() => (_request, answered) => {
    asked++;
    answered({ supplied: true });
  });
  assert.equal(await admitted(caller()), 'insufficient_funds');
  assert.ok(asked > 1 && asked < 100);
});

test('a database that does not answer in time is away, and a term that is over spends nothing', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked: SupplyRequest[] = [];
  const { slots, term, at, admitted } = open(() => request => void asked.push(request));
  const waiting = admitted(caller());
  t.mock.timers.tick(1_000);
  assert.equal(await waiting, 'unavailable 2000');
  slots.wallets.add(3, 100n);
  at.ms = 10_000;
  const late = admitted(caller());
  t.mock.timers.tick(1_000);
  assert.equal(await late, 'unavailable 2000');
  assert.deepEqual(asked.at(-1)?.need, { what: 'money', nano: 0n });
  assert.equal(slots.wallets.spendable(3), 100n);
  term.extend(term.now(), 10_000);
  assert.equal(await admitted(caller()), 'held 10');
});
