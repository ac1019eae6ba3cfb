// The whole of it: the real server as a process, a provider that can misbehave, official clients, money that must be right.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { type FakeUpstream, startFakeUpstream } from './support/fake-upstream.ts';
import { exampleConfig, newHome, runCli, startServer, type TestServer } from './support/server.ts';

const { home, remove } = newHome();
let upstream: FakeUpstream;
let server: TestServer;
let key: string;
let client: OpenAI;

const extra = `  - id: renamed
    prices: [{ currency: CNY, inputPerM: "4", outputPerM: "16" }]
    deployments: [{ id: renamed-a, provider: mock, upstreamModel: their-name }]
  - id: fallback
    prices: [{ currency: CNY, inputPerM: "4", outputPerM: "16" }]
    deployments:
      - { id: fallback-a, provider: mock, upstreamModel: broken, priority: 0 }
      - { id: fallback-b, provider: mock, upstreamModel: works, priority: 1 }
  - id: dollars
    prices: [{ currency: USD, inputPerM: "4", outputPerM: "16" }]
    deployments: [{ id: dollars-a, provider: mock }]
  - id: narrow
    maxOutputTokens: 4096
    prices: [{ currency: CNY, inputPerM: "4", outputPerM: "16" }]
    deployments: [{ id: narrow-a, provider: mock, concurrency: 1 }]
  - id: vectors
    operations: [embeddings]
    prices: [{ currency: CNY, inputPerM: "4", outputPerM: "0" }]
    deployments: [{ id: vectors-a, provider: mock }]
`;

before(async () => {
  upstream = await startFakeUpstream();
  server = await startServer(home);
  const applied = await server.cli('apply', '-f', exampleConfig(home, upstream.baseUrl, extra));
  assert.equal(applied.code, 0, applied.err);
  key = await newKey();
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 0 });
});
after(async () => {
  await server?.signal('SIGKILL');
  await upstream?.close();
  remove();
});

const newKey = async (...flags: string[]): Promise<string> => {
  const { json, err } = await server.cli('key', 'create', '--org', 'acme', '--project', 'web', ...flags);
  assert.ok(json['key'], err);
  return json['key'];
};
const post = (
  body: object | string,
  {
    with: bearer = key,
    path = '/v1/chat/completions',
    signal,
  }: { with?: string | undefined; path?: string; signal?: AbortSignal } = {},
) =>
  fetch(server.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
const chat = (model = 'mock-1', more: object = {}) => ({
  model,
  messages: [{ role: 'user' as const, content: 'Say hi' }],
  ...more,
});
const wallet = async () =>
  (await server.cli('wallet', 'show', '--org', 'acme')).json as unknown as {
    balance: string;
    held: string;
    available: string;
  };
const lastLine = async () =>
  (await server.cli('usage', '--org', 'acme', '--limit', '1')).json['lines']?.[0] as unknown as Record<string, unknown>;
const allIsRight = async () => {
  const { json, code } = await server.cli('ledger', 'verify');
  assert.equal(code, 0, JSON.stringify(json['invariants']));
};

test('the official client: chat, stream, usage with cost', async () => {
  const whole = await client.chat.completions.create(chat());
  assert.match(whole.choices[0]?.message.content ?? '', /token0/);
  const usage = whole.usage as unknown as {
    completion_tokens: number;
    prompt_tokens: number;
    cost: { currency: string; amount: string };
  };
  assert.equal(usage.cost.currency, 'CNY');
  assert.equal(usage.cost.amount, ((usage.prompt_tokens * 4 + usage.completion_tokens * 16) / 1e6).toString());
  const stream = await client.chat.completions.create({
    ...chat(),
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  let last: unknown;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    last = chunk.usage ?? last;
  }
  assert.match(text, /token7/);
  assert.equal((last as typeof usage).cost.amount, usage.cost.amount);
  const quiet = await client.chat.completions.create({ ...chat(), stream: true });
  for await (const chunk of quiet) assert.ok(!chunk.usage, 'usage was not asked for');
  const line = await lastLine();
  assert.equal(line['amount'], usage.cost.amount);
  assert.equal(line['usageSource'], 'upstream');
});

test('the journal shows what was written about a request', async () => {
  const answer = await post(chat());
  const id = answer.headers.get('x-request-id') ?? '';
  const { usage } = (await answer.json()) as { usage: { cost: { amount: string } } };
  const { json } = await server.cli('journal', 'inspect', '--request', id);
  const [intent, settlement] = json['entries'] as unknown as Record<string, unknown>[];
  assert.deepEqual([intent?.['kind'], intent?.['model'], intent?.['id']], ['intent', 'mock-1', id]);
  assert.deepEqual(
    [settlement?.['kind'], settlement?.['amount'], settlement?.['outcome']],
    ['settlement', usage.cost.amount, 'ok'],
  );
  const none = await server.cli('journal', 'inspect', '--request', 'nobody');
  assert.deepEqual([none.code, none.json['error']?.['code']], [1, 'not_found']);
});

test('models, completions, embeddings', async () => {
  const ids = (await client.models.list()).data.map(({ id }) => id);
  assert.ok(ids.includes('mock-1') && ids.includes('millrace-nano'));
  assert.equal((await client.models.retrieve('mock-1')).id, 'mock-1');
  const completed = await client.completions.create({ model: 'mock-1', prompt: 'Once' });
  assert.ok(completed.usage);
  const vectors = await client.embeddings.create({ model: 'vectors', input: ['a', 'b'], encoding_format: 'float' });
  assert.ok(vectors.data[0]?.embedding.length);
});

test('a model under another name, and a fallback before the first byte', async () => {
  for (const stream of [false, true]) {
    const answer = await (await post(chat('renamed', { stream }))).text();
    assert.ok(answer.includes('"model":"renamed"') && !answer.includes('their-name'));
  }
  upstream.script('broken', { status: 500 });
  const answer = await post(chat('fallback'));
  assert.equal(answer.status, 200);
  assert.equal((await lastLine())['deploymentId'], 'fallback-b');
});

test('each refusal has its status, its code, and words in both languages', async () => {
  const limited = await newKey('--rpm', '1');
  await post(chat(), { with: limited });
  const poor = await newKey('--budget', '0.000001CNY/day');
  const elsewhere = await newKey('--ip', '192.0.2.0/24');
  const other = await newKey('--models', 'renamed');
  upstream.script('narrow', { status: 503 });
  const cases: readonly [Promise<Response>, number, string][] = [
    [post('{'), 400, 'malformed_request'],
    [post(chat('mock-1', { max_tokens: -1 })), 400, 'invalid_parameter'],
    [post(chat('narrow', { max_tokens: 999_999 })), 400, 'invalid_parameter'],
    [post(chat(), { with: 'mr_live_nonsense' }), 401, 'invalid_api_key'],
    [post(chat(), { with: `${key.slice(0, -1)}!` }), 401, 'invalid_api_key'],
    [post(chat(), { with: poor }), 402, 'insufficient_funds'],
    [post(chat('dollars')), 403, 'unpriced'],
    [post(chat(), { with: elsewhere }), 403, 'forbidden'],
    [post(chat('nothing')), 404, 'model_not_found'],
    [post(chat(), { with: other }), 404, 'model_not_found'],
    [post({}, { path: '/v1/nothing' }), 404, 'not_found'],
    [post('x'.repeat(33 * 1024 * 1024)), 413, 'payload_too_large'],
    [post(chat(), { with: limited }), 429, 'rate_limited'],
    [post(chat('narrow')), 503, 'capacity'],
  ];
  for (const [answering, status, code] of cases) {
    const answer = await answering;
    assert.equal(answer.status, status, code);
    const { error } = (await answer.json()) as { error: { code: string; message: string; type: string } };
    assert.equal(error.code, code);
    assert.ok(error.message && error.type);
    assert.ok(answer.headers.get('x-request-id'));
    if (status === 429 || status === 503)
      assert.ok(Number(answer.headers.get('retry-after')) >= 1, `${code} says when`);
  }
  const zh = await fetch(`${server.url}/v1/models`, { headers: { 'accept-language': 'zh-CN' } });
  assert.match(await zh.text(), /密钥/);
});

test('a revoked key stops within two seconds', async () => {
  const { json } = await server.cli('key', 'create', '--org', 'acme', '--project', 'web');
  assert.equal((await post(chat(), { with: json['key'] })).status, 200);
  await server.cli('key', 'revoke', json['id'] ?? '');
  assert.equal((await post(chat(), { with: json['key'] })).status, 401);
});

test('a thousand at once on a wallet that pays for ten: ten are admitted', async () => {
  const { cli } = server;
  await cli('org', 'create', 'small');
  await cli('project', 'create', 'p', '--org', 'small');
  upstream.script('mock-1', { intervalMs: 300, tokens: 1 });
  const body = chat('mock-1', { max_tokens: 1_000 });
  // The worst case as the gateway reckons it: bytes of the body and what a template adds, and 1,000 tokens of output.
  const inputMax = Buffer.byteLength(JSON.stringify(body)) + 128 + 16;
  const each = (inputMax * 4 + 1_000 * 16) / 1e6 + 2e-9;
  await cli('wallet', 'credit', '--org', 'small', '--amount', (each * 10.5).toFixed(9), '--currency', 'CNY');
  const { json } = await cli('key', 'create', '--org', 'small', '--project', 'p');
  const statuses = await Promise.all(
    Array.from({ length: 1_000 }, () =>
      post(body, { with: json['key'] }).then(async answer => {
        await answer.arrayBuffer();
        return answer.status;
      }),
    ),
  );
  upstream.script('mock-1', {});
  const admitted = statuses.filter(status => status === 200).length;
  assert.ok(admitted <= 10 && admitted >= 1, `${admitted} were admitted`);
  assert.equal(statuses.filter(status => status === 402).length, 1_000 - admitted);
  await allIsRight();
});

test('lies of an upstream do not reach the bill', async () => {
  for (const usage of [
    'negative',
    'huge',
    'overflow',
    'nan',
    'float',
    'string',
    'absent',
    'twice',
    'decreasing',
  ] as const) {
    for (const stream of [false, true]) {
      upstream.script('mock-1', { usage });
      const answer = await post(chat('mock-1', { stream }));
      await answer.text();
      // A whole answer with NaN in it is no JSON: refused, and nothing is charged.
      if (answer.status === 502) {
        assert.equal(usage, 'nan');
        continue;
      }
      const line = await lastLine();
      assert.ok(Number(line['amount']) > 0 && Number(line['amount']) < 0.01, `${usage} ${stream}: ${line['amount']}`);
    }
  }
  upstream.script('mock-1', { gzip: 'bomb' });
  assert.equal((await post(chat())).status, 502);
  upstream.script('mock-1', {});
  await allIsRight();
});

test('an answer longer than was asked for: only what was asked is charged, and the rest is in dispute', async () => {
  upstream.script('mock-1', { tokens: 300, ignoreMaxTokens: true });
  await (await post(chat('mock-1', { max_tokens: 4 }))).text();
  upstream.script('mock-1', {});
  const line = await lastLine();
  assert.equal(line['outputTokens'], 4);
  assert.ok(Number(line['disputed']) > 0, JSON.stringify(line));
  const store = new DatabaseSync(join(home, 'store.db'), { readOnly: true });
  const row = store.prepare('select amount_nano, held_nano from requests where id = ?').get(String(line['requestId']));
  store.close();
  assert.ok(Number(row?.['held_nano']) >= Number(row?.['amount_nano']), JSON.stringify(row));
  await allIsRight();
});

test('a client that leaves in mid-stream: the upstream is stopped, what it got is paid once', async () => {
  upstream.script('mock-1', { tokens: 400, intervalMs: 10 });
  const abort = new AbortController();
  const answer = await post(chat('mock-1', { stream: true }), { signal: abort.signal });
  const reader = answer.body?.getReader();
  for (let reads = 0; reads < 10; reads++) await reader?.read();
  abort.abort();
  const until = Date.now() + 5_000;
  while ((await wallet()).held !== '0' && Date.now() < until);
  const line = await lastLine();
  assert.equal(line['outcome'], 'client-gone');
  assert.equal(line['estimated'], true);
  assert.ok(Number(line['outputTokens']) >= 5 && Number(line['outputTokens']) < 200);
  assert.equal(upstream.calls.at(-1)?.outcome, 'aborted');
  upstream.script('mock-1', {});
  await allIsRight();
});

test('requests beyond a deployment’s places wait their turn, and a stream hears of it', async () => {
  upstream.script('narrow', { headersDelayMs: 1_500 });
  const first = post(chat('narrow', { stream: true }));
  const second = await post(chat('narrow', { stream: true }));
  assert.equal((await first).status, 200);
  const text = await second.text();
  assert.match(text, /: queue position=1 eta_ms=\d+/);
  assert.match(text, /\[DONE\]/);
  upstream.script('narrow', {});
});

test('hostile bytes on the wire get an answer or a closed door, and the server lives', async () => {
  const { port } = new URL(server.url);
  const lines = [
    'GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}',
    `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`,
    '\0\0\0\0\r\n\r\n',
    'GET http://169.254.169.254/ HTTP/1.1\r\nhost: 169.254.169.254\r\n\r\n',
  ];
  for (const line of lines) {
    await new Promise<void>(done => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(line));
      socket.setTimeout(2_000, () => socket.destroy());
      socket.on('data', () => socket.destroy());
      socket.on('error', () => {});
      socket.on('close', () => done());
    });
  }
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
});

test('the page, in both languages; the control API wants an admin key from outside', async () => {
  const page = async (lang: string) => (await fetch(server.url, { headers: { 'accept-language': lang } })).text();
  assert.match(await page('en-GB'), /Millrace is running/);
  assert.match(await page('zh-CN,zh;q=0.9'), /正在运行/);
  assert.equal((await fetch(`${server.url}/api/v1/organizations`)).status, 401);
  assert.equal(
    (await fetch(`${server.url}/api/v1/organizations`, { headers: { authorization: `Bearer ${key}` } })).status,
    401,
  );
  const { json } = await server.cli('key', 'create', '--admin', '--name', 'ops');
  assert.equal(
    (await fetch(`${server.url}/api/v1/organizations`, { headers: { authorization: `Bearer ${json['key']}` } })).status,
    200,
  );
  assert.match(await (await fetch(`${server.url}/metrics`)).text(), /millrace_loader_lag_entries/);
});

test('applying twice changes nothing; bad files say where', async () => {
  const file = exampleConfig(home, upstream.baseUrl, extra);
  const again = await server.cli('apply', '-f', file);
  assert.equal(again.json['changed'], false);
  const bad = await runCli(home, ['apply', '-f', '/nowhere.yaml']);
  assert.equal(bad.code, 2);
});

test('a second server on the same home is refused; a backup restores elsewhere and verifies', async () => {
  await assert.rejects(startServer(home), /Another Millrace runs/);
  const copy = newHome();
  const folder = `${copy.home}-backup`;
  assert.equal((await server.cli('backup', folder)).code, 0);
  assert.equal((await runCli(copy.home, ['restore', folder])).code, 0);
  const verified = await runCli(copy.home, ['ledger', 'verify']);
  assert.equal(verified.code, 0, verified.err);
  assert.deepEqual(
    (await runCli(copy.home, ['wallet', 'show', '--org', 'acme'])).json,
    (await server.cli('wallet', 'show', '--org', 'acme')).json,
  );
  copy.remove();
});

test('SIGTERM: a running stream ends whole, the next start is clean', async () => {
  upstream.script('mock-1', { tokens: 30, intervalMs: 20 });
  const answer = await post(chat('mock-1', { stream: true }));
  const reading = answer.text();
  const exit = server.signal('SIGTERM');
  assert.match(await reading, /\[DONE\]/);
  assert.equal(await exit, 0);
  upstream.script('mock-1', {});
  server = await startServer(home);
  await allIsRight();
});
