import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scrub, withoutKey } from './scrub.ts';

const SECRETS: readonly string[] = [
  'sk-proj-AbCdEf1234567890abcdef',
  'sk-ant-api03-xxxxxxxxxxxx',
  'sk-ab***************wxyz',
  'mr_live_0123456789abcdefghij',
  'gsk_0123456789abcdef',
  'bce-v3/ALTAK-abcdefghij/0123456789',
  'Bearer abc.def.ghi',
  'Basic dXNlcjpwYXNz',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
  'https://api.example.com/v1/chat?key=1',
  'unix:///run/engine.sock',
  'internal-gateway.prod.svc.cluster.local:8000/v1',
  '10.1.2.3:8000',
  'ops@example.com',
  'org-AbCdEf123456',
  'proj_AbCdEf123456',
  '0123456789abcdef0123456789abcdef',
];

for (const secret of SECRETS) {
  test(`takes out ${secret}`, () => {
    for (const text of [secret, `Wrong key: ${secret}.`, `错误："${secret}"，请重试`, `(${secret})`]) {
      const clean = scrub(text);
      for (const part of secret.split(/[/:@.\s]+/).filter(word => word.length >= 9)) {
        assert.ok(!clean.includes(part), `${clean} still holds ${part}`);
      }
    }
  });
}

test('leaves words that help', () => {
  for (const text of [
    "Unsupported parameter: 'temperature' is not supported with this model.",
    "This model's maximum context length is 131072 tokens. However, you requested 140000 tokens.",
    'messages[0].content: Input should be a valid string (type=string_type)',
    "'max_tokens' must be at most 8192",
    '输入内容过长，请缩短后重试',
  ]) {
    assert.equal(scrub(text), text);
  }
});

test('is short, one line, and well formed', () => {
  assert.equal(scrub('a\nb\u0000c\u2028d\u0085e'), 'a b c d e');
  assert.equal(scrub('🍓 '.repeat(1_000)).length, 500);
  assert.ok(scrub(`${'a '.repeat(249)}🍓🍓🍓`).isWellFormed());
  assert.ok(scrub('\ud800').isWellFormed());
});

test('is quick on text made to be slow', () => {
  const started = performance.now();
  for (const piece of ['a.', 'a-', '1.', 'x@', 'sk-', '*', 'eyJ', 'a://', '::', 'A']) scrub(piece.repeat(1_000_000));
  assert.ok(performance.now() - started < 1_000);
});

test('the very key that was sent is taken out, whatever it looks like, and what a cut left of it', () => {
  const key = 'plain.key@home!with:signs';
  assert.equal(withoutKey(`no ${key}, twice: ${key}`, key), 'no [key], twice: [key]');
  assert.equal(withoutKey('no plain.key@ho…', key), 'no [key]…');
  assert.equal(withoutKey('no pla…', key), 'no pla…');
  assert.equal(withoutKey('no plain.key@ho', key), 'no plain.key@ho');
});
