import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StartFacts, startText } from './start-text.ts';

const facts: StartFacts = {
  url: 'http://127.0.0.1:8080',
  home: '/h',
  models: [
    { id: 'loading', ready: false, isDemonstration: false },
    { id: 'millrace-nano', ready: true, isDemonstration: true },
  ],
  firstKey: 'mr_live_x',
  project: { organizationId: 'acme', id: 'web' },
  isPublic: false,
};

test('what is printed at a start works as it stands, in both languages', () => {
  const first = startText(facts, 'en');
  assert.match(first, /^Millrace is running: http:\/\/127\.0\.0\.1:8080\nData is kept in \/h\n\nYour key/);
  assert.match(first, /-H "Authorization: Bearer mr_live_x"/);
  assert.match(first, /"model":"millrace-nano"/);
  const later = startText({ ...facts, firstKey: undefined }, 'en');
  assert.match(later, /\.\/millrace key create --org acme --project web\n/);
  assert.match(later, /Bearer \$MILLRACE_KEY/);
  const nobody = startText({ ...facts, firstKey: undefined, project: undefined }, 'en');
  assert.match(nobody, /org create acme\n.+project create web --org acme\n.+wallet credit .+\n.+key create/);
  assert.match(first, /\nmillrace-nano is a 6 MB demonstration: .+\n/);
  assert.match(startText(facts, 'zh'), /\nmillrace-nano 是 6 MB 的演示模型：.+\n/);
  const own = startText({ ...facts, models: [{ id: 'own', ready: true, isDemonstration: false }] }, 'en');
  assert.doesNotMatch(own, /demonstration/);
  // A request to a model that does not answer is nothing to try.
  const none = startText({ ...facts, models: [{ id: 'loading', ready: false, isDemonstration: false }] }, 'en');
  assert.doesNotMatch(none, /curl/);
  assert.match(startText({ ...facts, models: [] }, 'en'), /There is no model yet/);
  assert.match(startText({ ...facts, isPublic: true }, 'en'), /without TLS/);
  const zh = startText({ ...facts, isPublic: true }, 'zh');
  for (const line of zh.split('\n').filter(line => line !== '' && !line.startsWith('  ')))
    assert.match(line, /\p{Script=Han}/u);
});
