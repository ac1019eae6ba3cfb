import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequestHead } from '../server/request-head.ts';
import { createClientAddress } from './client-address.ts';

const from = (peer: string, ...fields: string[]) => ({
  head: parseRequestHead(['GET / HTTP/1.1', 'host: a', ...fields].join('\r\n')),
  isWhole: true,
  remoteAddress: () => peer,
  receive: () => {},
  ignoreBody: () => {},
  pauseBody: () => {},
  resumeBody: () => {},
});
const PROXIES = ['127.0.0.1', '10.0.0.0/8', '::1'];

test('who trusts no proxy sees who is at the other end, and nobody where it was passed on', () => {
  const address = createClientAddress([]);
  assert.equal(address(from('127.0.0.1')), '127.0.0.1');
  assert.equal(address(from('203.0.113.7')), '203.0.113.7');
  for (const name of [
    'X-Forwarded-For',
    'Forwarded',
    'Via',
    'X-Real-IP',
    'CF-Connecting-IP',
    'True-Client-IP',
    'X-Client-IP',
  ])
    assert.equal(
      address(from('127.0.0.1', 'connection: x-forwarded-for, cf-connecting-ip', `${name}: 127.0.0.1`)),
      '',
      name,
    );
});

test('of a trusted proxy it is whom it names, past all that are trusted; who names nobody says nothing', () => {
  const address = createClientAddress(PROXIES);
  for (const [fields, expected] of [
    [['x-forwarded-for: 203.0.113.7'], '203.0.113.7'],
    [['x-forwarded-for: 127.0.0.1, 203.0.113.7'], '203.0.113.7'],
    [['x-forwarded-for: 198.51.100.1, 203.0.113.7, 10.1.2.3'], '203.0.113.7'],
    [['x-forwarded-for: 198.51.100.1', 'X-Forwarded-For: 203.0.113.7 , 10.1.2.3'], '203.0.113.7'],
    [['x-forwarded-for: 203.0.113.7:4711'], '203.0.113.7'],
    [['x-forwarded-for: [2001:db8::1]:4711'], '2001:db8::1'],
    [['x-forwarded-for: 2001:db8::1'], '2001:db8::1'],
    [['x-forwarded-for: unknown'], ''],
    [['x-forwarded-for: 203.0.113.7,'], ''],
    [['x-forwarded-for: 203.0.113.7, junk, 10.1.2.3'], ''],
    [['x-forwarded-for: 127.0.0.1'], '127.0.0.1'],
    [['cf-connecting-ip: 203.0.113.7'], ''],
    [[], ''],
  ] as const) {
    for (const peer of ['127.0.0.1', '::1', '10.9.9.9', '::ffff:10.9.9.9'])
      assert.equal(address(from(peer, ...fields)), expected, `${peer}: ${fields.join()}`);
  }
  // Who is no proxy of ours may write what it likes.
  assert.equal(address(from('203.0.113.9', 'x-forwarded-for: 127.0.0.1')), '');
  assert.equal(address(from('203.0.113.9')), '203.0.113.9');
});
