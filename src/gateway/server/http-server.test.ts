import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { after, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { openWire } from '../../../test/support/wire.ts';
import { type Log, silentLog } from '../../ground/std/index.ts';
import type { BodySink, HttpExchange } from './http-exchange.ts';
import { createHttpServer } from './http-server.ts';

const LIMITS = { headMs: 15_000, requestMs: 300_000, keepAliveMs: 75_000, unwantedBytesMax: 1_000_000 };
const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

/** A server, what it was asked, and its clock; `serve` gets each request with its number. */
async function open(serve: (http: HttpExchange, index: number) => void) {
  const seen: HttpExchange[] = [];
  const thrown: unknown[] = [];
  const log: Log = { ...silentLog, error: (_event, fields) => void thrown.push(fields?.['internal']) };
  let passedMs = 0;
  const clock = { nowMs: () => 1_700_000_000_000 + passedMs, monotonicMs: () => passedMs };
  const server = createHttpServer({ clock, log, limits: LIMITS, serve: http => serve(http, seen.push(http) - 1) });
  const port = await server.listen({ host: '127.0.0.1', port: 0, reusePort: false });
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  /** Time passes, and a sweep sees it. */
  const look = (ms: number) => {
    passedMs += ms;
    server.sweep();
  };
  /** The second sweep ends what the first one saw overdue. */
  const pass = (ms: number) => {
    look(ms);
    look(0);
  };
  const asked = async (count: number) => {
    while (seen.length < count) await nextTurn();
  };
  return { server, port, seen, thrown, look, pass, asked };
}

const whole = (done: (body: string) => void): BodySink => {
  const parts: Buffer[] = [];
  return { onBody: part => void parts.push(part), onEnd: () => done(Buffer.concat(parts).toString('latin1')) };
};
const echo = (http: HttpExchange) => {
  const { method, target } = http.head;
  http.receive(whole(body => http.send(200, ['content-type', 'text/plain'], `${method} ${target} ${body}`)));
};
const ask = (target: string, ...more: string[]) => [`GET ${target} HTTP/1.1`, 'host: a', ...more, '', ''].join('\r\n');
const post = (target: string, body: string, ...more: string[]) =>
  [`POST ${target} HTTP/1.1`, 'host: a', `content-length: ${body.length}`, ...more, '', body].join('\r\n');
const answers = (text: string) => text.match(/HTTP\/1\.1 \d{3}/g)?.map(line => Number(line.slice(-3))) ?? [];
const leftOf = async (http: HttpExchange | undefined) => {
  while (!http?.isGone) await nextTurn();
};

describe('an answer', () => {
  test('whole: its head, its date, its length in bytes, and the connection stays', async () => {
    const { port } = await open(http =>
      http.send(200, ['x-request-id', 'r'], http.head.target === '/zh' ? '世界' : 'ok'),
    );
    const wire = await openWire(port);
    wire.send(ask('/'));
    assert.equal(
      await wire.until(/ok$/),
      'HTTP/1.1 200 OK\r\nx-request-id: r\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\nconnection: keep-alive\r\n' +
        'keep-alive: timeout=75\r\ncontent-length: 2\r\n\r\nok',
    );
    wire.send(ask('/zh', 'connection: close'));
    const text = Buffer.from(await wire.closed, 'latin1').toString('utf8');
    assert.match(text, /connection: close\r\ncontent-length: 6\r\n\r\n世界$/);
  });

  test('to HEAD has the head and no body; to HTTP/1.0 the end of the connection, or its length', async () => {
    const { port } = await open(http => {
      if (http.head.target === '/parts') {
        http.begin(200, []);
        http.write('abc');
        http.end('def');
      } else http.send(200, [], 'abcdef');
    });
    const wire = await openWire(port);
    wire.send(ask('/').replace('GET', 'HEAD') + ask('/parts').replace('GET', 'HEAD') + ask('/', 'connection: close'));
    const text = await wire.closed;
    assert.deepEqual(answers(text), [200, 200, 200]);
    assert.equal(text.match(/abcdef/g)?.length, 1);
    for (const [head, body, staying] of [
      ['GET / HTTP/1.0', 'abcdef', false],
      ['GET /parts HTTP/1.0', 'abcdef', false],
      ['GET / HTTP/1.0\r\nconnection: keep-alive', 'abcdef', true],
    ] as const) {
      const old = await openWire(port);
      old.send(`${head}\r\n\r\n`);
      const said = await old.until(/abcdef$/);
      assert.ok(said.endsWith(`\r\n\r\n${body}`), head);
      assert.equal(/connection: keep-alive/.test(said), staying, head);
      if (staying) old.socket.destroy();
      else await old.closed;
    }
  });

  test('in parts: in chunks, as text and as bytes; nothing is no chunk; a length that is told is kept to', async () => {
    const { port } = await open(http => {
      http.begin(
        http.head.target === '/204' ? 204 : 200,
        http.head.target === '/length' ? ['content-length', '8'] : [],
      );
      http.flush();
      http.write('');
      http.write('é');
      http.write(Buffer.from('abc'));
      http.end(Buffer.from('def'));
    });
    const wire = await openWire(port);
    wire.send(ask('/') + ask('/length') + ask('/204') + ask('/', 'connection: close'));
    const [chunked = '', length = '', none = ''] = (await wire.closed).split(/(?=HTTP\/1\.1 )/);
    assert.match(chunked, /transfer-encoding: chunked\r\n\r\n2\r\nÃ©\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n$/);
    assert.match(length, /content-length: 8\r\n[\s\S]*\r\n\r\nÃ©abcdef$/);
    assert.doesNotMatch(none, /transfer-encoding|content-length|abc/);
  });

  test('a header that would be more than one is never written', async () => {
    const { port } = await open(http => {
      assert.throws(() => http.send(200, ['x', 'a\r\nset-cookie: b'], ''), /no value for a header: x/);
      http.destroy();
    });
    const wire = await openWire(port);
    wire.send(ask('/'));
    assert.equal(await wire.closed, '');
  });
});

describe('several on one connection', () => {
  test('are served at once and answered in their order, parts included', async () => {
    const { port, seen, asked } = await open(() => {});
    const wire = await openWire(port);
    wire.send(ask('/0') + post('/1', 'x') + ask('/2') + ask('/3', 'connection: close') + ask('/never'));
    await asked(4);
    const [zero, one, two, three] = seen;
    three?.send(200, [], 'three');
    two?.begin(200, []);
    two?.write('two');
    assert.equal(two?.hasTurn(), false);
    one?.send(404, [], 'one');
    assert.equal(zero?.hasTurn(), true);
    zero?.send(200, [], 'zero');
    await wire.until(/two/);
    assert.equal(two?.hasTurn(), true);
    two?.end('!');
    const text = await wire.closed;
    assert.deepEqual(text.match(/zero|one|3\r\ntwo|!|three/g), ['zero', 'one', '3\r\ntwo', '!', 'three']);
    assert.deepEqual(answers(text), [200, 404, 200, 200]);
    assert.equal(seen.length, 4);
  });

  test('no more than some at once: the others wait, and none is lost', async () => {
    const { port, seen, asked } = await open(() => {});
    const wire = await openWire(port);
    const all = Array.from({ length: 200 }, (_, index) => post(`/${index}`, 'x'.repeat(index))).join('');
    wire.send(all.slice(0, 5_000));
    wire.send(all.slice(5_000));
    for (let index = 0; index < 200; index += 1) {
      await asked(index + 1);
      await nextTurn();
      assert.ok(seen.length <= index + 16, `${seen.length} at once`);
      seen[index]?.send(200, [], `<${seen[index]?.head.target}>`);
    }
    const text = await wire.until(/<\/199>/);
    assert.deepEqual(
      text.match(/<\/\d+>/g),
      Array.from({ length: 200 }, (_, index) => `</${index}>`),
    );
    wire.socket.destroy();
  });

  test('a client that asks and never reads: what it asks for stops', async () => {
    const { port, seen } = await open(http => http.send(200, [], 'x'.repeat(50_000)));
    const wire = await openWire(port);
    wire.socket.pause();
    for (let count = 0; count < 40; count += 1) wire.send(ask('/').repeat(500));
    let before = -1;
    for (let still = 0; still < 200; still = before === seen.length ? still + 1 : 0) {
      before = seen.length;
      await nextTurn();
    }
    assert.ok(seen.length < 1_000, `${seen.length} answers of 50 kB are kept`);
    wire.socket.destroy();
  });

  test('what is no request, behind requests: they are answered, then it', async () => {
    const { port, seen, asked } = await open(() => {});
    const wire = await openWire(port);
    wire.send(`${ask('/0')}${ask('/1')}GET nonsense\r\n\r\n${ask('/2')}`);
    await asked(2);
    seen[1]?.send(200, [], 'one');
    seen[0]?.send(200, [], 'zero');
    const text = await wire.closed;
    assert.deepEqual(answers(text), [200, 200, 400]);
    assert.equal(seen.length, 2);
  });

  test('a body that breaks the rules: who serves it hears that the client is gone, and the client 400', async () => {
    const told: number[] = [];
    const { port, seen, asked } = await open((http, index) => {
      http.onGone(() => told.push(index));
      http.receive({ onBody() {}, onEnd: () => {} });
    });
    const wire = await openWire(port);
    wire.send(ask('/0'));
    await asked(1);
    wire.send('POST /1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n');
    await asked(2);
    await leftOf(seen[1]);
    seen[0]?.send(200, [], 'zero');
    assert.deepEqual(answers(await wire.closed), [200, 400]);
    assert.deepEqual(told, [1]);
  });
});

describe('a body', () => {
  test('that is expected to be asked for: is asked for when it is wanted, in its turn', async () => {
    const { port, seen, asked } = await open((http, index) => {
      if (index > 0) echo(http);
    });
    const wire = await openWire(port);
    wire.send(ask('/0') + post('/1', '', 'expect: 100-continue').replace('content-length: 0', 'content-length: 3'));
    await asked(2);
    seen[0]?.send(200, [], 'zero');
    await wire.until(/zeroHTTP\/1\.1 100 Continue\r\n\r\n$/);
    wire.send('abc');
    assert.deepEqual(answers(await wire.until(/POST \/1 abc$/)), [200, 100, 200]);
    wire.socket.destroy();
  });

  test('that is refused before it came: no 100, and the connection ends', async () => {
    const { port } = await open(http => http.send(401, [], 'no'));
    const wire = await openWire(port);
    wire.send(post('/', '', 'expect: 100-continue').replace('content-length: 0', 'content-length: 3'));
    const text = await wire.closed;
    assert.deepEqual(answers(text), [401]);
    assert.match(text, /connection: close/);
  });

  test('that nobody wants: it is read and thrown away, and the next request is served', async () => {
    const { port, seen } = await open(http => http.send(413, [], 'no'));
    const wire = await openWire(port);
    wire.send(post('/0', 'x'.repeat(900_000)) + ask('/1', 'connection: close'));
    assert.deepEqual(answers(await wire.closed), [413, 413]);
    assert.equal(seen.length, 2);
  });

  test('that nobody wants and that has no end: it is cut off', async () => {
    const { port } = await open(http => http.send(413, [], 'no'));
    const wire = await openWire(port);
    wire.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
    await wire.until(/413/);
    const chunk = `2710\r\n${'x'.repeat(10_000)}\r\n`;
    let sent = 0;
    const closed = wire.closed.then(() => true);
    while (!(await Promise.race([closed, nextTurn().then(() => false)])) && sent < 20_000_000) {
      wire.send(chunk);
      sent += 10_000;
    }
    assert.ok(sent < 20_000_000, 'all was taken');
  });

  test('that comes faster than it is taken waits in the socket', async () => {
    const got: number[] = [];
    const { port, seen, asked } = await open(http =>
      http.receive({
        onBody(content) {
          got.push(content.length);
          http.pauseBody();
        },
        onEnd: () => http.send(200, [], 'done'),
      }),
    );
    const wire = await openWire(port);
    wire.send(post('/', 'x'.repeat(3_000_000)));
    await asked(1);
    let before = -1;
    for (let still = 0; still < 50; still = before === got.length ? still + 1 : 0) {
      before = got.length;
      await nextTurn();
    }
    assert.ok(got.reduce((sum, bytes) => sum + bytes, 0) < 1_000_000, 'it was not held back');
    const going = setInterval(() => seen[0]?.resumeBody(), 1);
    await wire.until(/done/);
    clearInterval(going);
    assert.equal(
      got.reduce((sum, bytes) => sum + bytes, 0),
      3_000_000,
    );
    wire.socket.destroy();
  });
});

describe('a client that', () => {
  for (const how of ['fin', 'rst'] as const)
    test(`leaves by ${how}: all that it asked hear of it, once, and nothing more is taken from them`, async () => {
      const told: number[] = [];
      const { port, seen, asked } = await open((http, index) => http.onGone(() => told.push(index)));
      const wire = await openWire(port);
      wire.send(ask('/0') + ask('/1') + post('/2', '', '').replace('content-length: 0', 'content-length: 3'));
      await asked(3);
      if (how === 'fin') wire.socket.end();
      else wire.socket.resetAndDestroy();
      for (const http of seen) await leftOf(http);
      assert.deepEqual(told, [0, 1, 2]);
      for (const http of seen) {
        http.send(200, [], 'late');
        assert.equal(http.write('late'), true);
      }
      assert.doesNotMatch(await wire.closed, /late/);
    });

  test('leaves with much of its answers unread: they hear of it though the connection cannot close', async () => {
    const { port, seen, asked } = await open(() => {});
    const wire = await openWire(port, { allowHalfOpen: true });
    wire.socket.pause();
    wire.send(ask('/0') + ask('/1'));
    await asked(2);
    seen[0]?.begin(200, []);
    while (seen[0]?.write('x'.repeat(100_000)));
    wire.socket.end();
    for (const http of seen) await leftOf(http);
    wire.socket.destroy();
  });

  test('says that it will say no more, behind a request that is answered at once, gets its answer', async () => {
    const { port } = await open(http => http.send(200, [], 'x'.repeat(1_000_000)));
    const wire = await openWire(port, { allowHalfOpen: true });
    wire.socket.end(ask('/'));
    assert.ok((await wire.closed).endsWith(`\r\n\r\n${'x'.repeat(1_000_000)}`));
  });

  test('breaks off in the middle of a request is told so', async () => {
    const { port } = await open(echo);
    for (const part of ['GET / HT', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nabc']) {
      const wire = await openWire(port, { allowHalfOpen: true });
      wire.socket.end(part);
      assert.deepEqual(answers(await wire.closed), [400], part);
    }
  });

  test('reads slowly is waited for, and when there is room again it is told, once', async () => {
    let rooms = 0;
    const { port, seen, asked } = await open(http => http.begin(200, []));
    const wire = await openWire(port);
    wire.socket.pause();
    wire.send(ask('/0') + ask('/1'));
    await asked(2);
    const [zero, one] = seen;
    let written = 0;
    while (zero?.write('x'.repeat(10_000))) written += 1;
    assert.ok(written < 3_000);
    // Behind another, there is room for some and no more.
    while (one?.write('y'.repeat(10_000))) written += 1;
    zero?.onDrain(() => {
      rooms += 1;
      zero.end();
    });
    one?.onDrain(() => {
      rooms += 1;
      one.end('over');
    });
    wire.socket.resume();
    await wire.until(/over\r\n0\r\n\r\n$/);
    assert.equal(rooms, 2);
    wire.socket.destroy();
  });
});

describe('time', () => {
  test('a head that does not come: 408; a connection without a word is closed without one', async () => {
    const { port, pass } = await open(echo);
    const half = await openWire(port);
    const mute = await openWire(port);
    const busy = await openWire(port);
    half.send('GET / HTTP/1.1\r\n');
    busy.send(ask('/'));
    await busy.until(/GET \//);
    pass(14_000);
    busy.send(ask('/again'));
    await busy.until(/again/);
    pass(1_500);
    assert.deepEqual(answers(await half.closed), [408]);
    assert.equal(await mute.closed, '');
    busy.send(ask('/third'));
    await busy.until(/third/);
    pass(74_000);
    busy.send(ask('/fourth'));
    await busy.until(/fourth/);
    pass(76_000);
    assert.deepEqual(answers(await busy.closed), [200, 200, 200, 200]);
  });

  test('a body that does not come: 408, and who serves it hears that the client is gone', async () => {
    const { port, seen, pass, asked } = await open(echo);
    const wire = await openWire(port);
    wire.send(post('/', '').replace('content-length: 0', 'content-length: 5'));
    await asked(1);
    pass(299_000);
    assert.equal(seen[0]?.isGone, false);
    pass(2_000);
    assert.deepEqual(answers(await wire.closed), [408]);
    assert.equal(seen[0]?.isGone, true);
  });

  test('an answer may take as long as it takes', async () => {
    const { port, seen, pass, asked } = await open(() => {});
    const wire = await openWire(port);
    wire.send(ask('/0'));
    await asked(1);
    pass(10_000_000);
    seen[0]?.send(200, [], 'zero');
    await wire.until(/zero/);
    wire.socket.destroy();
  });

  test('what is overdue only because we were busy is not cut: what saves it may lie in the socket', async () => {
    const { port, look, asked } = await open(http => http.send(200, [], http.head.target));
    const wire = await openWire(port);
    wire.send(ask('/0'));
    await wire.until(/\/0$/);
    look(10_000_000);
    wire.send(ask('/1'));
    await asked(2);
    await wire.until(/\/1$/);
    look(0);
    wire.send(ask('/2'));
    await wire.until(/\/2$/);
    wire.socket.destroy();
  });

  test('a connection that was closed by us and is not closed by the client goes all the same', async () => {
    const { port, pass } = await open(http => http.send(200, [], 'ok'));
    const wire = await openWire(port, { allowHalfOpen: true });
    wire.send(ask('/', 'connection: close'));
    await wire.closed;
    const gone = new Promise(resolve => wire.socket.once('close', resolve));
    pass(6_000);
    // What it says now is said to nobody, which its second word is told.
    const saying = setInterval(() => wire.send('x'), 1);
    await gone;
    clearInterval(saying);
  });
});

test('a server that drains: idle connections go, what is asked is answered, and that is the end', async () => {
  const { port, server, seen, asked } = await open(() => {});
  const idle = await openWire(port);
  const busy = await openWire(port);
  const streaming = await openWire(port);
  busy.send(ask('/0'));
  await asked(1);
  streaming.send(ask('/1'));
  await asked(2);
  seen[1]?.begin(200, []);
  seen[1]?.write('first');
  await streaming.until(/first/);
  server.close();
  assert.equal(await idle.closed, '');
  seen[0]?.send(200, [], 'ok');
  assert.match(await busy.closed, /connection: close\r\n[\s\S]*ok$/);
  seen[1]?.end('last');
  assert.match(await streaming.closed, /first[\s\S]*last\r\n0\r\n\r\n$/);
  await assert.rejects(openWire(port), /ECONNREFUSED/);
});

test('node’s own client: what it sends is read as it was meant, and what is answered as well', async () => {
  const { port } = await open(http => {
    const { method, target } = http.head;
    http.receive(
      whole(body => {
        if (target.startsWith('/parts')) {
          http.begin(200, ['x-method', method]);
          for (const part of body.match(/[\s\S]{1,7}/g) ?? []) http.write(Buffer.from(part, 'latin1'));
          http.end();
        } else http.send(200, ['x-method', method], Buffer.from(body, 'latin1'));
      }),
    );
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const call = (method: string, path: string, parts: readonly string[], isMeasured: boolean) =>
    new Promise<string>((resolve, reject) => {
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      const headers = isMeasured ? { 'content-length': length } : { 'transfer-encoding': 'chunked' };
      const outgoing = request({ port, host: '127.0.0.1', agent, method, path, headers }, async incoming => {
        let text = '';
        for await (const chunk of incoming.setEncoding('latin1')) text += chunk;
        resolve(`${incoming.headers['x-method']} ${text}`);
      });
      outgoing.on('error', reject);
      for (const part of parts) outgoing.write(part, 'latin1');
      outgoing.end();
    });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'GET'),
      fc.constantFrom('/whole', '/parts'),
      fc.array(fc.string({ unit: 'binary-ascii', maxLength: 400 }), { maxLength: 5 }),
      fc.boolean(),
      async (method, path, parts, isMeasured) =>
        assert.equal(await call(method, path, parts, isMeasured), `${method} ${parts.join('')}`),
    ),
    { numRuns: 100 },
  );
  agent.destroy();
});

describe('whoever serves a request throws', () => {
  const fail = () => {
    throw new Error('thrown on purpose');
  };
  /** Where it throws; what its own client gets. */
  const PLACES: readonly [name: string, serve: (http: HttpExchange) => void, status: number | undefined][] = [
    ['at the head', fail, 500],
    ['at the body', http => http.receive({ onBody: fail, onEnd: () => {} }), 500],
    ['at the end of the body', http => http.receive({ onBody: () => {}, onEnd: fail }), 500],
    [
      'when its answer has begun',
      http => {
        http.begin(200, []);
        http.flush();
        fail();
      },
      200,
    ],
    ['for a header that is none', http => http.send(200, ['x-a', 'a\nb'], ''), 500],
    [
      'when the client has left',
      http => {
        http.onGone(fail);
        http.receive(whole(() => http.begin(200, ['x-left', 'yes'])));
      },
      undefined,
    ],
  ];
  for (const [name, serve, status] of PLACES) {
    test(`${name}: its connection ends, others go on`, async () => {
      const { port, thrown, seen } = await open(http => (http.head.target === '/throws' ? serve(http) : echo(http)));
      const other = await openWire(port);
      other.send(ask('/before'));
      await other.until(/GET \/before $/);
      const wire = await openWire(port);
      wire.send(ask('/first') + post('/throws', 'body'));
      if (status === undefined) {
        while (seen.length < 3 || !seen[2]?.headSent) await nextTurn();
        wire.socket.resetAndDestroy();
        while (thrown.length === 0) await nextTurn();
      } else assert.deepEqual(answers(await wire.closed), [200, status]);
      assert.match(String(thrown), /thrown on purpose|no value for a header/);
      other.send(ask('/after'));
      await other.until(/GET \/after $/);
      other.socket.destroy();
    });
  }

  test('at room to write again, of an answer that is not its own turn', async () => {
    const { port, thrown, seen } = await open(http => {
      http.begin(200, []);
      http.write('x'.repeat(100_000));
      if (http.head.target === '/2') http.onDrain(fail);
    });
    const wire = await openWire(port);
    wire.send(ask('/1') + ask('/2') + ask('/3'));
    while (seen.length < 3) await nextTurn();
    seen[0]?.end();
    await wire.closed;
    assert.equal(thrown.length, 1);
    await leftOf(seen[2]);
  });
});
