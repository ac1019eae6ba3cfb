// What an operator scrapes, from the real server under real requests: strict text, true counts, no tenant for strangers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { METRICS, type MetricName } from '../src/control/metrics/metric-table.ts';
import { type FakeUpstream, startFakeUpstream } from './support/fake-upstream.ts';
import { type ReadMetric, readMetrics } from './support/metrics.ts';
import { exampleConfig, newHome, startServer, type TestServer } from './support/server.ts';

const { home, remove } = newHome();
let upstream: FakeUpstream;
let server: TestServer;
let key = '';
let adminKey = '';

const extra = `  - id: narrow
    prices: [{ currency: CNY, inputPerM: "4", outputPerM: "16" }]
    deployments: [{ id: narrow-a, provider: mock, concurrency: 1 }]
`;

before(async () => {
  upstream = await startFakeUpstream();
  server = await startServer(home);
  const applied = await server.cli('apply', '-f', exampleConfig(home, upstream.baseUrl, extra));
  assert.equal(applied.code, 0, applied.err);
  key = await newKey();
  adminKey = (await server.cli('key', 'create', '--admin', '--name', 'ops')).json['key'] ?? '';
});
after(async () => {
  await server?.signal('SIGKILL');
  await upstream?.close();
  remove();
});

const newKey = async (...flags: string[]): Promise<string> =>
  (await server.cli('key', 'create', '--org', 'acme', '--project', 'web', ...flags)).json['key'] ?? '';
const post = (body: object | string, bearer = key, signal?: AbortSignal) =>
  fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
const chat = (more: object = {}) => ({ model: 'mock-1', messages: [{ role: 'user', content: 'Hi' }], ...more });

async function scrape(headers: Readonly<Record<string, string>> = {}): Promise<ReadonlyMap<string, ReadMetric>> {
  const answer = await fetch(`${server.url}/metrics`, { headers });
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  return readMetrics(await answer.text());
}
const asAdmin = () => scrape({ authorization: `Bearer ${adminKey}` });
const value = (
  metrics: ReadonlyMap<string, ReadMetric>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined =>
  [...metrics.values()]
    .flatMap(({ samples }) => samples)
    .find(
      sample =>
        sample.name === `millrace_${name}` &&
        Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted),
    )?.value;
/** Settlements are counted when they are loaded; a proof loads first what is durable. */
const loaded = async () => assert.equal((await server.cli('ledger', 'verify')).code, 0);
const refusals = async () => {
  const samples = (await scrape()).get('millrace_refusals_total')?.samples ?? [];
  return new Map(samples.map(({ labels, value: count }) => [labels['code'] ?? '', count]));
};

test('every refusal is counted once, by its code', async () => {
  const limited = await newKey('--rpm', '1');
  await (await post(chat(), limited)).text();
  const [poor, elsewhere] = [await newKey('--budget', '0.000001CNY/day'), await newKey('--ip', '192.0.2.0/24')];
  const cases: readonly [code: string, ask: () => Promise<unknown>][] = [
    ['malformed_request', () => post('{')],
    ['invalid_parameter', () => post(chat({ max_tokens: -1 }))],
    ['invalid_api_key', () => post(chat(), 'mr_live_nonsense')],
    ['invalid_api_key', () => fetch(`${server.url}/v1/models`)],
    ['insufficient_funds', () => post(chat(), poor)],
    ['forbidden', () => post(chat(), elsewhere)],
    ['model_not_found', () => post(chat({ model: 'nothing' }))],
    ['not_found', () => fetch(`${server.url}/v1/nothing`)],
    ['method_not_allowed', () => fetch(`${server.url}/v1/chat/completions`)],
    ['payload_too_large', () => post('x'.repeat(33 * 1024 * 1024))],
    ['rate_limited', () => post(chat(), limited)],
  ];
  const total = new Map(await refusals());
  for (const [code, ask] of cases) {
    await ask();
    total.set(code, (total.get(code) ?? 0) + 1);
    assert.deepEqual(await refusals(), total, code);
  }
});

test('who waited for a place and left, or found none in time, is counted too', async () => {
  const before = await refusals();
  upstream.script('narrow', { headersDelayMs: 1_000 });
  const first = post(chat({ model: 'narrow' }));
  const waiting = async (count: number) => {
    while (value(await scrape(), 'deployment_waiting', { deployment: 'narrow-a' }) !== count);
  };
  while (value(await scrape(), 'deployment_in_flight', { deployment: 'narrow-a' }) !== 1);
  const abort = new AbortController();
  const second = post(chat({ model: 'narrow' }), key, abort.signal).catch(() => {});
  await waiting(1);
  abort.abort();
  await waiting(0);
  assert.equal((await refusals()).get('client_closed'), (before.get('client_closed') ?? 0) + 1);
  await Promise.all([first, second]);
});

test('settled requests: counts by model, tokens of each kind, histograms, money', async () => {
  await loaded();
  const before = await asAdmin();
  upstream.script('mock-1', { tokens: 5, promptTokens: 20, cachedTokens: 8 });
  for (const stream of [true, false, false]) await (await post(chat({ stream }))).text();
  upstream.script('mock-1', { status: 500 });
  assert.equal((await post(chat())).status, 502);
  upstream.script('mock-1', {});
  await loaded();
  const after = await asAdmin();
  const grown = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    (value(after, name, labels) ?? 0) - (value(before, name, labels) ?? 0);
  const mock = { model: 'mock-1', deployment: 'mock-1-a' };
  assert.equal(grown('requests_total', { ...mock, outcome: 'ok' }), 3);
  assert.equal(grown('requests_total', { ...mock, outcome: 'failed', fault: 'upstream_error' }), 1);
  assert.equal(grown('tokens_total', { ...mock, kind: 'input' }), 36);
  assert.equal(grown('tokens_total', { ...mock, kind: 'cached_input' }), 24);
  assert.equal(grown('tokens_total', { ...mock, kind: 'output' }), 15);
  assert.equal(grown('ttft_seconds_count', mock), 1);
  assert.equal(grown('duration_seconds_count', mock), 4);
  assert.ok(Math.abs(grown('revenue_total') - (36 * 4 + 24 * 1 + 15 * 16) / 1e6) < 1e-12);
  // An intent and a settlement of each are in the journal; how many share a commit is a matter of time.
  assert.ok(grown('journal_last_seq') >= 8);
  assert.ok(grown('journal_commit_seconds_count') >= 1 && grown('journal_commit_seconds_sum') > 0);
  assert.equal(value(after, 'loader_lag_entries'), 0);
  assert.ok(grown('gateway_busy_seconds_total', { thread: '0' }) > 0);
  assert.equal(value(after, 'deployment_concurrency', { deployment: 'narrow-a' }), 1);
  assert.equal(value(after, 'deployment_concurrency', mock), undefined);
  assert.equal(value(after, 'deployment_failures', mock), 1);
});

const NAMES = Object.keys(METRICS)
  .filter((name): name is MetricName => name in METRICS)
  .filter(name => !name.startsWith('cluster_'));

test('all of the table is shown, with its labels, and tenants to an admin alone', async () => {
  const [admin, plain] = [await asAdmin(), await scrape()];
  // What only several nodes show is looked at where there are several.
  const names = NAMES.map(name => `millrace_${name}`);
  assert.deepEqual(new Set(admin.keys()), new Set(names));
  assert.deepEqual(new Set(plain.keys()), new Set(names.filter(name => name !== 'millrace_wallet_spendable')));
  assert.equal(value(admin, 'wallet_spendable', { organization: 'acme', currency: 'CNY' })?.toFixed(0), '100');
  for (const { samples } of plain.values())
    for (const { labels } of samples) assert.ok(!Object.values(labels).includes('acme'), JSON.stringify(labels));
  for (const name of NAMES) {
    const { labels } = METRICS[name];
    const { type = '', samples = [], help = '' } = admin.get(`millrace_${name}`) ?? {};
    assert.equal(type, METRICS[name].type);
    assert.match(help, /^[^.].+\w\.$/, name);
    assert.ok(samples.length > 0, `${name} was seen`);
    for (const sample of samples)
      assert.deepEqual(
        Object.keys(sample.labels).filter(label => label !== 'le'),
        labels,
        name,
      );
  }
});

test('the reader of metrics is strict', () => {
  const head = '# HELP m_total x\n# TYPE m_total counter\n';
  const histogram = (lines: string) => `# HELP h x\n# TYPE h histogram\n${lines}`;
  const whole = histogram('h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n');
  for (const good of [`${head}m_total 1\n`, `${head}m_total{a="x\\"\\\\\\n,}"} 1e-7\nm_total{a="y"} 2\n`, whole])
    readMetrics(good);
  const cases: readonly [text: string, why: RegExp][] = [
    [`${head}m_total 1`, /does not end/],
    ['m_total 1\n', /before any type/],
    ['# TYPE m_total counter\nm_total 1\n', /without its help/],
    ['# HELP m x\n# TYPE m counter\nm 1\n', /_total/],
    ['# HELP m_total x\n# TYPE m_total gauge\n', /_total/],
    ['# HELP m x\n# TYPE m nonsense\n', /no such type/],
    ['# HELP m a\\t\n# TYPE m gauge\n', /escape/],
    [`${head}m_total 1\n${head}`, /metric twice/],
    [`${head}m_total 1\nm_total 2\n`, /series twice/],
    [`${head}m_total{a="1",b="2"} 1\nm_total{b="2",a="1"} 2\n`, /series twice/],
    [`${head}m_total{a="1",a="2"} 1\n`, /no sample/],
    [`${head}m_total{a="1""} 1\n`, /no sample/],
    [`${head}m_total{__a="1"} 1\n`, /no sample/],
    [`${head}m_total one\n`, /no sample/],
    [`${head}m_total  1\n`, /no sample/],
    [`${head}\n`, /no sample/],
    [`${head}m_total -1\n`, /not a count/],
    [`${head}m_total NaN\n`, /not a count/],
    [`${head}other_total 1\n`, /not a sample of/],
    [histogram('h_bucket{le="1"} 3\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n'), /add up/],
    [histogram('h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 3\n'), /add up/],
    [histogram('h_bucket{le="1"} 1\nh_sum 3\nh_count 1\n'), /add up/],
    [histogram('h_bucket{le="+Inf"} 2\nh_count 2\n'), /add up/],
  ];
  for (const [text, why] of cases) assert.throws(() => readMetrics(text), why, text);
});
