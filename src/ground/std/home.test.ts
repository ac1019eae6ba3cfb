import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Fault } from './fault.ts';
import { lockHome } from './home-lock.ts';
import { readSecrets } from './home-secrets.ts';

const folder = mkdtempSync(join(tmpdir(), 'mr-home-'));
after(() => rmSync(folder, { recursive: true }));

function refusal(act: () => unknown): Fault {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    assert.match(error.messageIn('zh'), /\p{Script=Han}/u);
    return error;
  }
  throw new Error('accepted');
}

test('a home is made for its owner alone, and one process has it', () => {
  const home = join(folder, 'a', 'b');
  const lock = lockHome(home);
  assert.equal(statSync(join(folder, 'a')).mode & 0o777, 0o700);
  assert.equal(statSync(home).mode & 0o777, 0o700);
  const fault = refusal(() => lockHome(home));
  assert.deepEqual([fault.code, fault.message.startsWith(`Another Millrace runs on ${home}`)], ['conflict', true]);
  lock[Symbol.dispose]();
  lockHome(home)[Symbol.dispose]();
});

test('a home that cannot be made or written is told as such, not as taken', () => {
  writeFileSync(join(folder, 'file'), '');
  for (const home of ['/proc/millrace', '/proc/a/b', join(folder, 'file'), join(folder, 'file', 'x')]) {
    const { code, message } = refusal(() => lockHome(home));
    assert.equal(code, 'config_invalid', home);
    assert.match(message, new RegExp(`^Cannot write to ${home} \\(.+\\): set MILLRACE_HOME`));
  }
});

test('secrets are made once, durably, for the owner alone', () => {
  const first = readSecrets(folder, ['store.db']);
  const again = readSecrets(folder, ['store.db']);
  assert.equal(first.pepper.reveal(), again.pepper.reveal());
  assert.equal(first.master.reveal(), again.master.reveal());
  assert.notEqual(first.master.reveal(), first.pepper.reveal());
  const file = join(folder, 'secrets.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!existsSync(`${file}.new`));
});

test('secrets that are lost or damaged are never made anew beside what they open', () => {
  const file = join(folder, 'secrets.json');
  const whole = readFileSync(file, 'utf8');
  for (const text of ['', '{', 'null', '[]', '{}', '{"pepper":"x"}', '{"pepper":1,"master":2}', whole.slice(0, 40)]) {
    writeFileSync(file, text);
    assert.match(refusal(() => readSecrets(folder, [])).message, /does not hold its secrets/, text);
    assert.equal(readFileSync(file, 'utf8'), text);
  }
  rmSync(file);
  writeFileSync(join(folder, 'store.db'), '');
  assert.match(refusal(() => readSecrets(folder, ['journal', 'store.db'])).message, /it is missing beside store\.db/);
  assert.ok(!existsSync(file));
});
