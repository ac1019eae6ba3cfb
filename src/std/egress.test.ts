import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './clock.ts';
import { addressKind, type CheckedAddress, createEgress } from './egress.ts';

test('what an address is', () => {
  const never = [
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254',
    '100.100.100.200',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    'ff02::1',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    'evil',
    '',
  ];
  const closed = [
    '127.0.0.1',
    '127.255.0.1',
    '10.0.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.1.1',
    '::1',
    'fc00::1',
    'fe80::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:1:2:3:4:80ff:fffe',
    '::127.0.0.1',
    '::ffff:0:10.0.0.1',
  ];
  const open = ['1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'];
  for (const address of never) assert.equal(addressKind(address), 'never', address);
  for (const address of closed) assert.equal(addressKind(address), 'private', address);
  for (const address of open) assert.equal(addressKind(address), 'public', address);
});

const at =
  (...addresses: string[]) =>
  async (): Promise<CheckedAddress[]> =>
    addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }));

test('every spelling of a closed address is refused', async () => {
  const egress = createEgress({ clock: systemClock, resolve: at('8.8.8.8') });
  for (const url of [
    'http://127.0.0.1',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://0/',
    'http://１２７.0.0.1/',
    'http://169.254.169.254/latest',
    'ftp://8.8.8.8/',
    'file:///etc/passwd',
    'http://user:pass@8.8.8.8/',
    'gopher://x',
    'not a url',
    'javascript:alert(1)',
  ]) {
    await assert.rejects(egress.resolve(url, { allowPrivateNetwork: false }), { code: 'unavailable' }, url);
  }
});

test('one closed address among many is enough to refuse', async () => {
  const egress = createEgress({ clock: systemClock, resolve: at('8.8.8.8', '10.0.0.1') });
  await assert.rejects(egress.resolve('https://mixed.example/', { allowPrivateNetwork: false }), {
    code: 'unavailable',
  });
});

test('a private provider is reached where the operator allowed it, metadata never', async () => {
  const egress = createEgress({ clock: systemClock, resolve: at('10.0.0.1') });
  const found = await egress.resolve('http://gpu.internal:8000/v1', { allowPrivateNetwork: true });
  assert.deepEqual(found, {
    kind: 'tcp',
    origin: 'http://gpu.internal:8000',
    hostname: 'gpu.internal',
    addresses: [{ address: '10.0.0.1', family: 4 }],
  });
  await assert.rejects(egress.resolve('http://169.254.169.254/', { allowPrivateNetwork: true }), {
    code: 'unavailable',
  });
  const metadata = createEgress({ clock: systemClock, resolve: at('169.254.169.254') });
  await assert.rejects(metadata.resolve('http://rebound.example/', { allowPrivateNetwork: true }), {
    code: 'unavailable',
  });
});

test('a name that changes its address within the cache time is not looked up again, and later is checked again', async () => {
  let now = 0;
  let answer = ['8.8.8.8'];
  const egress = createEgress({ clock: { nowMs: () => now, monotonicMs: () => now }, resolve: () => at(...answer)() });
  const ask = () => egress.resolve('http://rebind.example/', { allowPrivateNetwork: false });
  await ask();
  answer = ['127.0.0.1'];
  const cached = await ask();
  assert.ok(cached.kind === 'tcp' && cached.addresses[0]?.address === '8.8.8.8');
  now = 60_000;
  await assert.rejects(ask(), { code: 'unavailable' });
});
