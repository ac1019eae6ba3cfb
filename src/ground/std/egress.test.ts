import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, describe, test } from 'node:test';
import { type Clock, systemClock } from './clock.ts';
import { createEgress, type EgressTarget } from './egress.ts';
import { addressKind } from './egress-address.ts';
import type { Resolve } from './egress-names.ts';
import { Fault } from './fault.ts';

const ADDRESSES = {
  never: [
    ...['0.0.0.0', '0.1.2.3', '169.254.169.254', '169.254.170.2', '169.254.169.123', '169.254.0.23'],
    ...['100.100.100.200', '192.0.0.192', '168.63.129.16', '192.0.2.1', '198.51.100.7', '203.0.113.9', '192.88.99.1'],
    ...['224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255'],
    ...['::', '::2', '::7f00:1', '::127.0.0.1', '::ffff:0:127.0.0.1', '100::1', 'fec0::1', '4000::1'],
    ...['ff02::1', 'ff05::1:3', 'fd00:ec2::254', 'fd20:ce::254', 'fe80::a9fe:a9fe', 'fe80::1%eth0'],
    ...['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '::ffff:0.0.0.0', '64:ff9b::a9fe:a9fe', '64:ff9b:1::a9fe:a9fe'],
    ...['2002:7f00:1::', '2002:a9fe:a9fe::1', '2001:0:1:2:3:4:80ff:fffe', '2001:10::1', '2001:db8::1', '3fff::1'],
    ...[
      '2606:4700::5efe:127.0.0.1',
      '2606:4700::200:5efe:a00:1',
      '5f00::1',
      'evil',
      '',
      '1.2.3',
      '1.2.3.4.5',
      '0x7f.1',
    ],
  ],
  private: [
    ...['127.0.0.1', '127.255.255.254', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1'],
    ...['100.127.255.255', '169.254.1.1', '198.18.0.5', '198.19.255.255'],
    ...['::1', 'fc00::1', 'fdff::1', 'fe80::1', 'febf::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::FFFF:10.0.0.1'],
    ...['64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '0:0:0:0:0:0:0:1', '0000:0000:0000:0000:0000:ffff:7f00:0001'],
  ],
  public: [
    ...[
      '1.1.1.1',
      '8.8.8.8',
      '172.15.255.255',
      '172.32.0.1',
      '100.63.255.255',
      '100.128.0.1',
      '169.253.1.1',
      '11.0.0.1',
    ],
    ...[
      '192.0.1.1',
      '198.17.0.1',
      '198.20.0.1',
      '223.255.255.255',
      '2606:4700::1111',
      '2400:3200::1',
      '2001:4860:4860::8888',
    ],
    ...['::ffff:8.8.8.8', '64:ff9b::808:808'],
  ],
} as const;

for (const [kind, addresses] of Object.entries(ADDRESSES))
  test(`addresses that are ${kind}`, () => {
    for (const address of addresses) assert.equal(addressKind(address), kind, address);
  });

const resolveTo =
  (...addresses: readonly string[]): Resolve =>
  async () =>
    addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }));
const closed = { allowPrivateNetwork: false };
const opened = { allowPrivateNetwork: true };

/** Ways to write an address that lists of attacks against such checks collect. */
const REFUSED: readonly string[] = [
  // Loopback, however written
  ...[
    'http://127.0.0.1',
    'http://127.0.0.1:80',
    'http://127.1',
    'http://127.0.1',
    'http://2130706433',
    'http://0x7f000001',
  ],
  ...[
    'http://0x7f.1',
    'http://0177.0.0.1',
    'http://0177.1',
    'http://017700000001',
    'http://0x7f.0x0.0x0.0x1',
    'http://127.000.000.1',
  ],
  ...[
    'http://127.0.0.1.',
    'http://%31%32%37.0.0.1',
    'http://１２７.0.0.1',
    'http://①②⑦.⓪.⓪.①',
    'http://127。0。0。1',
    'http://127.0.0.1%2f@8.8.8.8',
  ],
  ...[
    'https://[::1]',
    'http://[::]',
    'http://[0:0:0:0:0:0:0:1]',
    'http://[::ffff:127.0.0.1]',
    'http://[::ffff:7f00:1]',
    'http://[::127.0.0.1]',
  ],
  ...[
    'http://[::ffff:0:127.0.0.1]',
    'http://[64:ff9b::127.0.0.1]',
    'http://[2002:7f00:1::]',
    'http://[fe80::1]',
    'http://[fc00::1]',
  ],
  ...[
    'http://[0:0:0:0:0:ffff:127.0.0.1]',
    'http://[::1%25lo]',
    'http://[::1%lo]',
    'http:127.0.0.1',
    'http:/127.0.0.1',
    'http:///127.0.0.1',
  ],
  ...[
    'HTTP://127.0.0.1',
    'http://0',
    'http://0.0.0.0:80',
    'http://00000',
    'http://127.127.127.127',
    'http://4294967295',
    'http://0xffffffff',
  ],
  // Private and metadata
  ...[
    'http://10.0.0.1',
    'http://192.168.0.1',
    'http://172.16.0.1',
    'http://169.254.169.254/latest/meta-data',
    'http://2852039166',
  ],
  ...[
    'http://0xa9fea9fe',
    'http://0251.0376.0251.0376',
    'http://169.254.43518',
    'http://[::ffff:a9fe:a9fe]',
    'http://[fd00:ec2::254]',
  ],
  ...['http://100.100.100.200', 'http://192.0.0.192', 'http://224.0.0.1', 'http://[ff02::1]', 'http://100.64.0.1'],
  // Two readings of one text
  ...[
    'http://8.8.8.8@127.0.0.1',
    'http://user:pass@8.8.8.8',
    'http://:@8.8.8.8:80@127.0.0.1',
    'http://127.0.0.1#@8.8.8.8',
    'http://8.8.8.8#',
  ],
  ...[
    'http://127.0.0.1\\@8.8.8.8',
    'http://8.8.8.8\\@127.0.0.1',
    'http:\\\\127.0.0.1',
    'http://127.0.0.1\t.example',
    'ht\ntp://8.8.8.8',
  ],
  ...[
    ' http://8.8.8.8',
    'http://8.8.8.8 ',
    'http://8.8.8.8/a b',
    'http://8.8.8.8/\r\nHost: x',
    'http://8.8.8.8/\u0000',
    'http://exa mple',
  ],
  ...[
    'http://127.0.0.1:80:80',
    'http://8.8.8.8:99999',
    'http://8.8.8.8:0',
    'http://[::1',
    'http://::1',
    'http://1.2.3.4.5',
    'http://256.1.1.1',
  ],
  // Other schemes
  ...[
    'file:///etc/passwd',
    'ftp://8.8.8.8',
    'gopher://8.8.8.8:6379/_INFO',
    'dict://8.8.8.8',
    'ldap://8.8.8.8',
    'jar:http://8.8.8.8!/',
  ],
  ...[
    'javascript:alert(1)',
    'data:text/plain,x',
    'blob:http://8.8.8.8/x',
    'ws://8.8.8.8',
    'netdoc:///etc/passwd',
    '//8.8.8.8',
    '8.8.8.8',
    '',
  ],
  ...[
    'not a url',
    'http',
    'http://',
    'unix:',
    'unix:run.sock:/v1',
    'unix:/run/../etc/x.sock:/v1',
    `unix:/${'x'.repeat(104)}:/v1`,
    'unix:/a\0b:/v1',
  ],
];

test('refused before anything is connected', () => {
  const egress = createEgress({ clock: systemClock, resolve: resolveTo('8.8.8.8') });
  for (const url of REFUSED)
    assert.throws(
      () => egress.target(url, closed),
      error => error instanceof Fault && (error.code === 'config_invalid' || error.code === 'unavailable'),
      JSON.stringify(url),
    );
});

test('what is taken, and how it is read', () => {
  const egress = createEgress({ clock: systemClock, socketFolder: '/run/millrace' });
  for (const [url, origin, basePath, search] of [
    ['https://api.example.com/v1/', 'https://api.example.com', '/v1', ''],
    ['https://API.example.com:443', 'https://api.example.com', '', ''],
    ['http://[2606:4700::1111]:8080/a/../v1?api-version=1', 'http://[2606:4700::1111]:8080', '/v1', '?api-version=1'],
    ['https://例え.jp/v1', 'https://xn--r8jz45g.jp', '/v1', ''],
    ['unix:/run/millrace/nano.sock:/v1', 'http://localhost', '/v1', ''],
    ['unix:/run/millrace/nano.sock', 'http://localhost', '', ''],
  ] as const) {
    const target = egress.target(url, closed);
    assert.deepEqual([target.origin, target.basePath, target.search], [origin, basePath, search], url);
  }
  for (const url of ['unix:/var/run/docker.sock:/v1', 'unix:/run/millrace-else/x.sock:/v1', 'unix:/run/millrace:/v1'])
    assert.throws(() => egress.target(url, opened), { code: 'config_invalid' }, url);
  for (const url of ['http://127.0.0.1:9000/v1', 'http://[::1]:9000/v1', 'http://192.168.1.2/v1'])
    assert.doesNotThrow(() => egress.target(url, opened), url);
  for (const url of ['http://169.254.169.254', 'http://0.0.0.0', 'http://224.0.0.1', 'http://[fd00:ec2::254]'])
    assert.throws(() => egress.target(url, opened), { code: 'unavailable' }, url);
});

describe('names', () => {
  let server: Server;
  let port = 0;
  let reached = 0;
  const ready = new Promise<void>(resolve => {
    server = createServer(socket => {
      reached += 1;
      socket.end();
    }).listen(0, '127.0.0.1', () => {
      const address = server.address();
      port = typeof address === 'object' && address ? address.port : 0;
      resolve();
    });
  });
  after(() => server.close());
  const connect = (target: EgressTarget) =>
    new Promise<string>(resolve => {
      target.connect((error, socket) => {
        socket?.destroy();
        resolve(
          error ? (error instanceof Fault ? error.code : String('code' in error ? error.code : error)) : 'connected',
        );
      });
    });

  test('one bad address among good ones refuses all', async () => {
    await ready;
    for (const [addresses, policy, expected] of [
      [['8.8.8.8', '127.0.0.1'], closed, 'unavailable'],
      [['2606:4700::1111', '::1'], closed, 'unavailable'],
      [['::ffff:127.0.0.1'], closed, 'unavailable'],
      [['127.0.0.1', '169.254.169.254'], opened, 'unavailable'],
      [['127.0.0.1'], opened, 'connected'],
    ] as const) {
      const egress = createEgress({ clock: systemClock, resolve: resolveTo(...addresses) });
      assert.equal(await connect(egress.target(`http://mixed.test:${port}`, policy)), expected, addresses.join());
      const check = egress.check(`http://mixed.test:${port}`, policy);
      if (expected === 'connected') await check;
      else await assert.rejects(check, { code: expected });
    }
    assert.equal(reached, 1);
  });

  test('a name that changes its answer between check and use gains nothing', async () => {
    await ready;
    const before = reached;
    let asked = 0;
    const clock = { now: 0, nowMs: () => 0, monotonicMs: () => clock.now };
    const egress = createEgress({
      clock,
      resolve: async () => [{ address: asked++ % 2 === 0 ? '8.8.8.8' : '127.0.0.1', family: 4 }],
    });
    await egress.check(`http://rebind.test:${port}`, closed);
    clock.now = 31_000;
    assert.equal(await connect(egress.target(`http://rebind.test:${port}`, closed)), 'unavailable');
    assert.deepEqual([asked, reached], [2, before]);
  });

  test('answers are remembered, failures briefly, old answers outlive a failing resolver', async () => {
    await ready;
    let mode: 'ok' | 'fail' = 'ok';
    let asked = 0;
    const clock: Clock & { now: number } = { now: 0, nowMs: () => 0, monotonicMs: () => clock.now };
    const resolve: Resolve = async () => {
      asked += 1;
      if (mode === 'fail') throw Object.assign(new Error('no'), { code: 'EAI_AGAIN' });
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const egress = createEgress({ clock, resolve });
    const ask = () =>
      egress.check('http://name.test', opened).then(
        () => 'ok',
        (error: Fault) => error.code,
      );
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), ['ok', 'ok', 'ok']);
    assert.equal(asked, 1);
    mode = 'fail';
    for (const [now, expected, times] of [
      [29_000, 'ok', 1],
      [31_000, 'ok', 2],
      [31_500, 'ok', 2],
      [33_000, 'ok', 3],
      [700_000, 'unavailable', 4],
      [700_500, 'unavailable', 4],
    ] as const) {
      clock.now = now;
      assert.deepEqual([await ask(), asked], [expected, times], `at ${now}`);
    }
    mode = 'ok';
    clock.now = 702_000;
    assert.equal(await ask(), 'ok');
  });

  test('memory is bounded', async () => {
    let asked = 0;
    const egress = createEgress({
      clock: systemClock,
      resolve: async () => {
        asked += 1;
        return [{ address: '8.8.8.8', family: 4 }];
      },
    });
    for (let name = 0; name < 1_500; name += 1) await egress.check(`http://n${name}.test`, closed);
    await egress.check('http://n1499.test', closed);
    assert.equal(asked, 1_500);
    await egress.check('http://n0.test', closed);
    assert.equal(asked, 1_501);
  });
});
