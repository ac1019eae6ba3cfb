import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type FakeUpstream, startFakeUpstream } from '../../../../test/support/fake-upstream.ts';
import { createEgress, type Fault, type Resolve, systemClock } from '../../../ground/std/index.ts';
import type { Upstream } from '../../../models/catalog/index.ts';
import { createUpstreams, type UpstreamRequest, type Upstreams } from './index.ts';

const LIMITS = { connect: 5_000, firstByte: 5_000, idle: 5_000, total: 20_000 };

interface Outcome {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly fault: Fault | undefined;
  readonly reached: boolean | undefined;
}

function upstreamAt(baseUrl: string, more: Partial<Upstream> = {}): Upstream {
  return { providerId: 'p', dialect: 'openai-chat', baseUrl, allowPrivateNetwork: true, quirks: [], ...more };
}

function requestTo(upstream: Upstream, more: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return { upstream, path: '/chat/completions', body: '{"model":"m"}', timeoutMs: LIMITS, ...more };
}

function outcome(upstreams: Upstreams, request: UpstreamRequest): Promise<Outcome> {
  return new Promise(resolve => {
    let status = 0;
    let headers: Outcome['headers'] = new Map();
    const chunks: Buffer[] = [];
    let over = 0;
    const end = (fault?: Fault, reached?: boolean) => {
      assert.equal(++over, 1, 'one end only');
      resolve({ status, headers, body: Buffer.concat(chunks).toString(), fault, reached });
    };
    upstreams.send(request, {
      onHeaders: (...given) => {
        [status, headers] = given;
      },
      onData: chunk => void chunks.push(chunk),
      onEnd: () => end(),
      onError: (fault, reached) => end(fault, reached),
    });
  });
}

const open = (resolve?: Resolve): Upstreams =>
  createUpstreams({
    egress: createEgress({ clock: systemClock, ...(resolve ? { resolve } : {}) }),
    clock: systemClock,
  });

async function listening(
  onSocket: (socket: Socket) => unknown,
  path?: string,
): Promise<{ server: Server; url: string }> {
  const server = createServer(socket => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>(resolve =>
    server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path }, resolve),
  );
  const address = server.address();
  const url = typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : `unix:${path}:`;
  return { server, url };
}

/** Answers every request with the same bytes. */
const always = (answer: string) => (socket: Socket) => void socket.on('data', () => socket.write(answer));

const upstreams = open();
const fake: FakeUpstream = await startFakeUpstream();
const to = (behaviour: Parameters<FakeUpstream['script']>[1], more: Partial<UpstreamRequest> = {}) => {
  fake.script('m', behaviour);
  return requestTo(upstreamAt(fake.baseUrl), more);
};
const streamed = { body: '{"model":"m","stream":true,"stream_options":{"include_usage":true}}' };
after(async () => {
  await upstreams.close();
  await fake.close();
});

describe('answers', () => {
  test('whole and streamed, over one kept connection', async () => {
    for (let round = 0; round < 5; round += 1) {
      const whole = await outcome(upstreams, to({ tokens: 3 }));
      assert.deepEqual([whole.status, whole.fault], [200, undefined]);
      assert.equal(JSON.parse(whole.body).usage.completion_tokens, 3);
      const stream = await outcome(upstreams, to({ tokens: 3 }, streamed));
      assert.match(stream.body, /"completion_tokens":3.*\n\ndata: \[DONE\]\n\n$/);
    }
    assert.equal(fake.connections(), 1);
    assert.deepEqual(upstreams.counts(), { open: 1, inUse: 0 });
  });

  test('errors of the upstream are answers, with their headers', async () => {
    const limited = await outcome(upstreams, to({ status: 429, retryAfter: '7' }));
    assert.deepEqual([limited.status, limited.headers.get('retry-after'), limited.fault], [429, '7', undefined]);
  });

  test('what is sent: our headers, the key, nothing of the process or the client', async () => {
    const request = to({}, { headers: { 'x-request-id': 'r-1' } });
    await outcome(upstreams, { ...request, upstream: upstreamAt(`${fake.baseUrl}/?v=1`, { apiKey: 'sk-1' }) });
    const { 'content-length': _length, host: _host, ...headers } = fake.calls.at(-1)?.headers ?? {};
    assert.deepEqual(headers, {
      connection: 'keep-alive',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
      'user-agent': 'millrace',
      authorization: 'Bearer sk-1',
      'x-request-id': 'r-1',
    });
    assert.equal(fake.calls.at(-1)?.path, '/v1/chat/completions?v=1');
    const foreign = await outcome(upstreams, { ...request, headers: { cookie: 'a=b' } });
    assert.deepEqual([foreign.fault?.code, foreign.reached], ['internal', false]);
  });

  test('a socket file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'up-'));
    const { server, url } = await listening(
      socket => always(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`)(socket),
      join(folder, 'e.sock'),
    );
    const answer = await outcome(upstreams, requestTo(upstreamAt(`${url}/v1`, { allowPrivateNetwork: false })));
    assert.deepEqual([answer.status, answer.body], [200, 'ok']);
    server.close();
    const own = open();
    const gone = await outcome(own, requestTo(upstreamAt(`unix:${folder}/none.sock:/v1`)));
    assert.deepEqual([gone.fault?.code, gone.reached], ['unavailable', false]);
    await own.close();
    await rm(folder, { recursive: true });
  });

  test('a header that comes twice is joined; one named __proto__ is a header', async () => {
    const { server, url } = await listening(
      always('HTTP/1.1 200 OK\r\nx-a: 1\r\nx-a: 2\r\n__proto__: y\r\ncontent-length: 0\r\n\r\n'),
    );
    const { headers } = await outcome(upstreams, requestTo(upstreamAt(url)));
    assert.equal(headers.get('x-a'), '1, 2');
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
    server.close();
  });
});

const plain = await listening(always('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'));
after(() => plain.server.close());

describe('no connection', () => {
  const cases: readonly [string, () => Promise<Outcome>, string][] = [
    ['refused', () => outcome(upstreams, requestTo(upstreamAt('http://127.0.0.1:1/v1'))), 'unavailable'],
    [
      'no such name',
      () => {
        const own = open(() => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' })));
        return outcome(own, requestTo(upstreamAt('http://nowhere.test/v1')));
      },
      'unavailable',
    ],
    [
      'a private address without permission',
      () => outcome(upstreams, requestTo(upstreamAt(fake.baseUrl, { allowPrivateNetwork: false }))),
      'unavailable',
    ],
    [
      'a name that leads to a private address',
      () => {
        const own = open(() => Promise.resolve([{ address: '127.0.0.1', family: 4 }]));
        const upstream = upstreamAt(`http://rebind.test:${fake.port}/v1`, { allowPrivateNetwork: false });
        return outcome(own, requestTo(upstream));
      },
      'unavailable',
    ],
    [
      'TLS to a server that has none',
      () => outcome(upstreams, requestTo(upstreamAt(plain.url.replace('http:', 'https:')))),
      'upstream_error',
    ],
    ['no URL', () => outcome(upstreams, requestTo(upstreamAt('nonsense'))), 'unavailable'],
    [
      'a key with a line break',
      () => outcome(upstreams, requestTo(upstreamAt(fake.baseUrl, { apiKey: 'a\r\nb' }))),
      'unavailable',
    ],
    [
      'a path with a blank',
      () => outcome(upstreams, requestTo(upstreamAt(fake.baseUrl), { path: '/a b' })),
      'internal',
    ],
  ];
  for (const [name, ask, code] of cases)
    test(name, async () => {
      const before = fake.calls.length;
      const seen = await ask();
      assert.deepEqual([seen.fault?.code, seen.reached, seen.status], [code, false, 0]);
      assert.doesNotMatch(seen.fault?.message ?? '', /127\.0\.0\.1|\.test/);
      assert.equal(fake.calls.length, before);
    });

  test('the next address is tried where one does not answer', async () => {
    const own = open(() =>
      Promise.resolve([
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]),
    );
    const { server, url } = await listening(always('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    const seen = await outcome(own, requestTo(upstreamAt(url.replace('127.0.0.1', 'two.test'))));
    assert.equal(seen.status, 200);
    await own.close();
    server.close();
  });
});

describe('a connection that breaks', () => {
  test('at every byte of a streamed answer, by FIN and by RST', async () => {
    const own = open();
    const whole = await outcome(own, to({ tokens: 2 }, streamed));
    const size = fake.calls.at(-1)?.bytesSent ?? 0;
    assert.ok(size > 600 && whole.fault === undefined);
    for (const how of ['fin', 'rst'] as const)
      for (let byte = 1; byte < size; byte += 1) {
        const seen = await outcome(own, to({ tokens: 2, dieAt: { byte, how } }, streamed));
        assert.deepEqual([seen.fault?.code, seen.reached], ['upstream_error', true], `${how} at ${byte}`);
        assert.ok(whole.body.startsWith(seen.body), `${how} at ${byte}: a prefix, byte for byte`);
      }
    assert.equal(own.counts().open, 0);
    await own.close();
  });

  test('without an answer, fresh and kept: the request may have arrived', async () => {
    let requests = 0;
    const { server, url } = await listening(socket => {
      socket.on('data', () => {
        requests += 1;
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        else socket.resetAndDestroy();
      });
    });
    const own = open();
    assert.equal((await outcome(own, requestTo(upstreamAt(url)))).status, 200);
    for (const kept of [true, false]) {
      const seen = await outcome(own, requestTo(upstreamAt(url)));
      assert.deepEqual([seen.fault?.code, seen.reached], ['upstream_error', true], kept ? 'kept' : 'fresh');
    }
    assert.equal(requests, 3);
    await own.close();
    server.close();
  });

  test('a kept connection that was closed while idle is not used', async () => {
    const sockets: Socket[] = [];
    const { server, url } = await listening(socket => {
      sockets.push(socket);
      always('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')(socket);
    });
    const own = open();
    for (let round = 1; round <= 3; round += 1) {
      const seen = await outcome(own, requestTo(upstreamAt(url)));
      assert.equal(seen.status, 200);
      // The next request leaves before we can have heard of the end: the look at the idle socket has to find it.
      const closed = new Promise(resolve => sockets.at(-1)?.once('close', resolve));
      sockets.at(-1)?.destroy();
      await closed;
    }
    assert.equal(sockets.length, 3);
    await own.close();
    server.close();
  });

  const lies: readonly [string, string, boolean][] = [
    ['content-length too long', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort', false],
    ['chunk size too long', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nshort', false],
    ['chunk size no number', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nshort', false],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nshort', false],
    ['length and chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', false],
    ['not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', false],
    ['redirect', 'HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n', false],
    ['not modified', 'HTTP/1.1 304 Not Modified\r\n\r\n', false],
    ['switching protocols', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', false],
    ['a header of 64 KiB', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(65_536)}\r\ncontent-length: 0\r\n\r\n`, false],
    [
      'a thousand headers',
      `HTTP/1.1 200 OK\r\n${Array.from({ length: 1_000 }, (_, n) => `x-${n}: 1\r\n`).join('')}content-length: 0\r\n\r\n`,
      false,
    ],
    ['unknown coding', 'HTTP/1.1 200 OK\r\ncontent-encoding: rot13\r\ncontent-length: 2\r\n\r\nok', false],
    [
      'hints before the answer',
      'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
      true,
    ],
    ['an answer until the end of the connection', 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok', true],
    [
      'two answers to one request',
      'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad',
      true,
    ],
  ];
  for (const [name, answer, fine] of lies)
    test(name, async () => {
      const { server, url } = await listening(socket =>
        socket.on('data', () => (fine && !answer.includes('close') ? socket.write(answer) : socket.end(answer))),
      );
      const own = open();
      for (let round = 0; round < 2; round += 1) {
        const seen = await outcome(own, requestTo(upstreamAt(url)));
        assert.equal(seen.fault?.code, fine ? undefined : 'upstream_error', String(seen.fault?.details.internal));
        assert.equal(seen.reached, fine ? undefined : true);
        assert.notEqual(seen.body, 'bad');
      }
      await own.close();
      server.close();
    });
});

test('a call that is given up at its last byte gives its connection up, too', async () => {
  const { server, url } = await listening(always('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
  const own = open();
  const upstream = upstreamAt(url);
  for (let round = 0; round < 3; round += 1) {
    await new Promise<void>(resolve => {
      const call = own.send(requestTo(upstream), {
        onHeaders: () => {},
        onData: () => {
          call.abort();
          resolve();
        },
        onEnd: () => assert.fail('given up'),
        onError: () => assert.fail('given up'),
      });
    });
    assert.equal(own.counts().open, 0);
    assert.equal((await outcome(own, requestTo(upstream))).body, 'ok');
    assert.deepEqual(own.counts(), { open: 1, inUse: 0 });
  }
  await own.close();
  server.close();
});

describe('compressed though not asked', () => {
  const asked = { honest: [200, undefined], bomb: [200, 'upstream_error'], broken: [200, 'upstream_error'] } as const;
  for (const [gzip, expected] of Object.entries(asked))
    for (const [kind, more] of [
      ['whole', {}],
      ['streamed', streamed],
    ] as const)
      test(`${gzip}, ${kind}`, async () => {
        const seen = await outcome(upstreams, to({ gzip: gzip as keyof typeof asked }, more));
        assert.deepEqual([seen.status, seen.fault?.code], expected);
        assert.ok(seen.body.length < 2_000_000, `${seen.body.length} bytes came through`);
        if (gzip === 'honest') assert.match(seen.body, /"completion_tokens":8/);
        assert.equal(seen.headers.get('content-encoding'), undefined);
      });
});

test('close ends what runs and refuses what comes', async () => {
  const own = open();
  const running = outcome(own, to({ headersDelayMs: 60_000 }));
  await new Promise(resolve => setTimeout(resolve, 30));
  await own.close();
  const { fault, reached } = await running;
  assert.deepEqual([fault?.code, reached], ['unavailable', true]);
  const late = await outcome(own, to({}));
  assert.deepEqual([late.fault?.code, late.reached], ['unavailable', false]);
});
