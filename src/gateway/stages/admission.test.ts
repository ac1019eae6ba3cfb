// What a request takes to be admitted, over the real counters: all or nothing, and each given back once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlots, Fault, openSlots } from '../../ground/std/index.ts';
import { codecs } from '../../models/dialects/index.ts';
import type { CallerRecord } from '../../people/callers/index.ts';
import { admit } from './admit.ts';
import { enter } from './enter.ts';
import type { Plan } from './plan.ts';

const NOW = 1_000_000_000;
const WALLET = 3;
const KEY = 5;
const OTHER = 4;

const upstream = {
  providerId: 'p',
  dialect: 'openai-chat',
  baseUrl: '',
  allowPrivateNetwork: true,
  quirks: [],
} as const;
const priceOf = (currency: string) => ({
  ...({ version: `v-${currency}`, currency, effectiveFromMs: 0, rounding: 'ceil' } as const),
  nanoPerMillion: { input: 1_000_000n, output: 10_000_000n },
});
const payerOf = (currency: string, slot: number) => ({ price: priceOf(currency), wallet: { currency, slot } });
const payer = payerOf('CNY', WALLET);

function planOf(more: Partial<Plan> = {}, contextTokens?: number): Plan {
  const model = { id: 'm', operations: ['chat'], maxOutputTokens: 100, createdAtMs: 0, ownedBy: 'p' } as const;
  return {
    model: {
      ...model,
      prices: [payer.price],
      deployments: [],
      ...(contextTokens === undefined ? {} : { contextTokens }),
    },
    ...payer,
    payers: [payer],
    targets: [
      {
        ...{ id: 'd', upstream, upstreamModel: 'm', embedded: false, slot: 0, priority: 0, weight: 1, costs: [] },
        ...{ timeoutMs: { connect: 1, firstByte: 1, answer: 1, idle: 1, total: 1 }, retriesTimeouts: false },
      },
    ],
    ...{ maxOutputTokens: 100, outputTokensMax: 100, outputTokensHeld: 100 },
    ...more,
  };
}

const callOf = (content: string) =>
  codecs['openai-chat'].decodeRequest(
    'chat',
    Buffer.from(JSON.stringify({ model: 'm', max_tokens: 100, messages: [{ role: 'user', content }] })),
  );
const call = callOf('Hi');
const callerOf = (scopes: CallerRecord['scopes']): CallerRecord => ({
  ...{ keyId: 'key_1', mac: '', organizationId: 'acme', projectId: 'web', slot: KEY, weight: 1, scopes },
  wallets: [{ currency: 'CNY', slot: WALLET }],
});
const SCOPES = {
  ...{ concurrency: 2, requestsPerMinute: 10, tokensPerMinute: 10_000 },
  budget: { currency: 'CNY', amountNano: 50_000n, period: 'total' },
} as const satisfies CallerRecord['scopes'];
/** Input at most a nano each, output ten; one more, since input that came from a cache is rounded for itself. */
const ROUNDED = 1n;
const NEEDED = BigInt(call.inputTokensMax) + 1_000n + ROUNDED;

function open(walletNano = 100_000n, budgetNano = 50_000n) {
  const slots = openSlots(createSlots());
  slots.wallets.add(WALLET, walletNano);
  slots.keys.setBudgetLeft(KEY, budgetNano);
  /** All that a request may take, as it stands; rates by what is left of them. */
  const stand = () => ({
    wallet: slots.wallets.spendable(WALLET),
    budget: slots.keys.budgetLeft(KEY),
    inFlight: slots.keys.inFlight(KEY),
    requests: left(slots, 'requests', 10),
    tokens: left(slots, 'tokens', 10_000),
  });
  const ask = (scopes: CallerRecord['scopes'], plan = planOf(), asked = call) => {
    const entry = enter(callerOf(scopes), slots, NOW);
    try {
      return admit(entry, asked, { plan, slots, nowMs: NOW });
    } catch (error) {
      entry.cancel();
      throw error;
    }
  };
  return { slots, stand, ask };
}

function left(slots: ReturnType<typeof openSlots>, what: 'requests' | 'tokens', perMinute: number): number {
  const verdict = slots.keys.takeRate(KEY, what, { count: 1, perMinute, nowMs: NOW });
  if (!verdict.ok) return 0;
  slots.keys.returnRate(KEY, what, { count: 1, perMinute });
  return verdict.remaining + 1;
}

const refusedAs = (code: string) => (error: unknown) => error instanceof Fault && error.code === code;

test('admitted: each limit, the budget and the wallet are taken; settled: the rest comes back', () => {
  const { stand, ask } = open();
  const before = stand();
  const { hold, limitHeaders } = ask(SCOPES);
  const held = stand();
  assert.equal(hold.nano(), NEEDED);
  assert.deepEqual(
    [before.wallet - held.wallet, before.budget - held.budget, held.inFlight, before.requests - held.requests],
    [NEEDED, NEEDED, 1, 1],
  );
  assert.equal(before.tokens - held.tokens, call.inputTokensGuess + 100);
  assert.ok(
    limitHeaders.includes('x-ratelimit-remaining-requests') && limitHeaders.includes('x-ratelimit-limit-tokens'),
  );
  hold.settle(300n, 30);
  hold.settle(300n, 30);
  hold.cancel();
  const after = stand();
  assert.deepEqual(
    [before.wallet - after.wallet, before.budget - after.budget, after.inFlight, before.tokens - after.tokens],
    [300n, 300n, 0, 30],
  );
});

test('refused: nothing stays taken, whatever it was for want of', () => {
  const poor = open(NEEDED - 1n);
  const bound = open(100_000n, NEEDED - 1n);
  const cases: readonly [what: string, at: ReturnType<typeof open>, scopes: CallerRecord['scopes'], code: string][] = [
    ['the wallet', poor, SCOPES, 'insufficient_funds'],
    ['the budget', bound, SCOPES, 'insufficient_funds'],
    [
      'a budget in another currency',
      open(),
      { ...SCOPES, budget: { ...SCOPES.budget, currency: 'USD' } },
      'insufficient_funds',
    ],
  ];
  for (const [what, { stand, ask }, scopes, code] of cases) {
    const before = stand();
    for (let time = 0; time < 12; time += 1) assert.throws(() => ask(scopes), refusedAs(code), what);
    assert.deepEqual(stand(), before, what);
  }
});

test('tokens of the rate: who asks for more than is left gets none, and leaves nothing taken', () => {
  const { stand, ask } = open();
  const scopes = { ...SCOPES, tokensPerMinute: 150 };
  const first = ask(scopes);
  const before = stand();
  for (let time = 0; time < 5; time += 1) assert.throws(() => ask(scopes), refusedAs('rate_limited'));
  assert.deepEqual(stand(), before);
  first.hold.settle(0n, 10);
  ask(scopes);
});

test('concurrency and the rate of requests: so many and no more, and who is turned away holds no place', () => {
  const { stand, ask } = open();
  const scopes = { concurrency: 2 };
  const [one] = [ask(scopes), ask(scopes)];
  assert.throws(() => ask(scopes), refusedAs('rate_limited'));
  assert.equal(stand().inFlight, 2);
  one?.hold.cancel();
  ask(scopes).hold.cancel();
  assert.equal(stand().inFlight, 1);
  const rated = open();
  for (let time = 0; time < 3; time += 1) rated.ask({ concurrency: 9, requestsPerMinute: 3 }).hold.cancel();
  assert.throws(() => rated.ask({ concurrency: 9, requestsPerMinute: 3 }), refusedAs('rate_limited'));
  assert.equal(rated.stand().inFlight, 0);
});

test('the hold is no more than the context takes', () => {
  const { ask } = open(10n ** 12n);
  const long = callOf('x'.repeat(50_000));
  assert.equal(ask({}, planOf({}, 512), long).hold.nano(), 512n + 1_000n + ROUNDED);
  assert.equal(ask({}, planOf(), long).hold.nano(), BigInt(long.inputTokensMax) + 1_000n + ROUNDED);
});

test('the first wallet that covers it pays', () => {
  const { slots, ask } = open(NEEDED - 1n);
  slots.wallets.add(OTHER, NEEDED);
  const payers = [payer, payerOf('USD', OTHER)] as const;
  const { plan, hold } = ask({}, planOf({ payers }));
  assert.deepEqual([plan.wallet, plan.price.currency], [{ currency: 'USD', slot: OTHER }, 'USD']);
  assert.deepEqual([slots.wallets.spendable(OTHER), slots.wallets.spendable(WALLET)], [0n, NEEDED - 1n]);
  hold.cancel();
  assert.equal(slots.wallets.spendable(OTHER), NEEDED);
});

test('a hold grows where wallet and budget cover it, and comes back whole', () => {
  const { stand, ask } = open(NEEDED + 500n, NEEDED + 400n);
  const before = stand();
  const { hold } = ask({ budget: SCOPES.budget });
  assert.equal(hold.extend(300n), true);
  assert.equal(hold.extend(101n), false, 'beyond the budget');
  assert.equal(stand().wallet, 200n, 'and nothing of it is held');
  hold.settle(NEEDED + 250n, 0);
  assert.deepEqual([before.wallet - stand().wallet, before.budget - stand().budget], [NEEDED + 250n, NEEDED + 250n]);
  assert.equal(hold.extend(1n), false, 'what is settled grows no more');
});
