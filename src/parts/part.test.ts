import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../config.ts';
import { CONTROL_PARTS, SERVER_PARTS } from './index.ts';
import { definePart, openParts, type Part, type Start } from './part.ts';

const start: Start = {
  config: readConfig({ HOME: '/nowhere' }),
  version: '0',
  serves: false,
  onCrash: error => {
    throw error;
  },
};

/** Parts that say what is done to them; each opens when it is told to. */
function stage() {
  const said: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const add = (name: string, needs: Readonly<Record<string, Part<unknown>>> = {}): Part<string> => {
    const gate = Promise.withResolvers<void>();
    gates.set(name, gate);
    return definePart({
      name,
      needs,
      async open(given) {
        said.push(`${name} begins with ${Object.keys(given).join(' ')}`.trim());
        await gate.promise;
        said.push(`${name} is open`);
        return name;
      },
      close: value => said.push(`${value} closes`),
    });
  };
  const turn = () => new Promise(setImmediate);
  const go = async (name: string, error?: Error) => {
    const gate = gates.get(name);
    if (error) gate?.reject(error);
    else gate?.resolve();
    await turn();
  };
  return { said, add, go, turn };
}

test('a part opens after its needs and beside the others, once, and closes before its needs', async () => {
  const { said, add, go, turn } = stage();
  const ground = add('ground');
  const slow = add('slow', { ground });
  const quick = add('quick', { ground });
  const top = add('top', { slow, quick, ground });
  const opening = openParts([top, quick, slow, ground], start);
  await turn();
  assert.deepEqual(said.splice(0), ['ground begins with']);
  await go('ground');
  assert.deepEqual(said.splice(0).sort(), ['ground is open', 'quick begins with ground', 'slow begins with ground']);
  await go('quick');
  assert.deepEqual(said.splice(0), ['quick is open']);
  await go('slow');
  assert.deepEqual(said.splice(0), ['slow is open', 'top begins with slow quick ground']);
  await go('top');
  const opened = await opening;
  assert.equal(await top.in(opened), 'top');
  await opened[Symbol.asyncDispose]();
  assert.deepEqual(said.splice(0), ['top is open', 'top closes', 'slow closes', 'quick closes', 'ground closes']);
});

test('where one fails, what is open and what still opens is closed, what needs it never begins, and its error is told', async () => {
  const { said, add, go, turn } = stage();
  const ground = add('ground');
  const bad = add('bad', { ground });
  const late = add('late', { ground });
  const top = add('top', { bad });
  const failed = assert.rejects(openParts([ground, bad, late, top], start), /no room/);
  await go('ground');
  await go('bad', new Error('no room'));
  await turn();
  assert.ok(!said.some(line => line.endsWith('closes')), 'nothing closes under one that still opens');
  await go('late');
  await failed;
  assert.deepEqual(said.slice(-3), ['late is open', 'late closes', 'ground closes']);
  assert.ok(!said.some(line => line.startsWith('top')));
});

test('the lists are whole: every need of a part stands in them, by one name', () => {
  for (const list of [CONTROL_PARTS, SERVER_PARTS]) {
    for (const { name, needs } of list)
      for (const need of needs) assert.ok(list.includes(need), `${name} needs ${need.name}`);
    assert.equal(new Set(list.map(({ name }) => name)).size, list.length);
  }
});

test('a need that is not listed is told before anything opens', async () => {
  const { said, add } = stage();
  const ground = add('ground');
  await assert.rejects(openParts([add('top', { ground })], start), /top needs ground, which is not listed/);
  assert.deepEqual(said, []);
});
