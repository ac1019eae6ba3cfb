import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StartFacts, startText } from './start-text.ts';

const facts: StartFacts = {
  url: 'http://127.0.0.1:8080',
  home: '/h',
  isUsualHome: true,
  models: [
    { id: 'loading', ready: false },
    { id: 'millrace-nano', ready: true, isDemonstration: true },
  ],
  firstKey: 'mr_live_x',
  project: { organizationId: 'acme', id: 'web', hasMoney: true },
  isPublic: false,
};

test('what is printed at a start works as it stands, in both languages', () => {
  const first = startText(facts, 'en');
  assert.match(first, /^Millrace is running: http:\/\/127\.0\.0\.1:8080\nData is kept in \/h\n\nYour key/);
  assert.match(first, /-H "Authorization: Bearer mr_live_x"/);
  assert.match(first, /"model":"millrace-nano"/);
  assert.match(first, /\nmillrace-nano is a 6 MB demonstration: .+\n/);
  assert.match(startText(facts, 'zh'), /\nmillrace-nano 是 6 MB 的演示模型：.+\n/);
  assert.doesNotMatch(startText({ ...facts, models: [{ id: 'own', ready: true }] }, 'en'), /demonstration/);
  const later = startText({ ...facts, firstKey: undefined }, 'en');
  assert.match(later, /Bearer \$\(\.\/millrace key create --org acme --project web --name try --expires 1h --quiet\)"/);
  const elsewhere = startText({ ...facts, firstKey: undefined, isUsualHome: false, home: "/it's here" }, 'en');
  assert.match(elsewhere, /\$\(MILLRACE_HOME='\/it'\\''s here' \.\/millrace key create /);
  const poor = { organizationId: 'acme', id: 'web', hasMoney: false };
  assert.match(
    startText({ ...facts, firstKey: undefined, project: poor }, 'en'),
    /wallet credit --org acme .+\n\n.+\n {2}curl /,
  );
  const nobody = startText({ ...facts, firstKey: undefined, project: undefined }, 'en');
  assert.match(nobody, /org create acme\n.+project create web --org acme\n.+wallet credit .+\n.+key create/);
  assert.match(startText({ ...facts, models: [] }, 'en'), /There is no model yet/);
  assert.match(startText({ ...facts, isPublic: true }, 'en'), /without TLS/);
});

test('a model that is not there yet is told of, beside the request that will work', () => {
  const none: StartFacts = { ...facts, models: [{ id: 'big', ready: false }] };
  assert.match(
    startText(none, 'en'),
    /\nbig does not answer yet; `\.\/millrace model list` says how far it is\. Then:\n {2}curl .+\n.+\n.+"model":"big"/,
  );
  assert.match(startText(none, 'zh'), /big 还不能回答/);
});

test('every line of its own is in the language of the reader', () => {
  const states: readonly Partial<StartFacts>[] = [
    {},
    { firstKey: undefined },
    { firstKey: undefined, project: undefined },
    { firstKey: undefined, project: { organizationId: 'acme', id: 'web', hasMoney: false } },
    { models: [] },
    { models: [{ id: 'big', ready: false }] },
  ];
  for (const state of states) {
    const zh = startText({ ...facts, isPublic: true, ...state }, 'zh');
    for (const line of zh.split('\n').filter(line => line !== '' && !line.startsWith('  ')))
      assert.match(line, /\p{Script=Han}/u);
  }
});
