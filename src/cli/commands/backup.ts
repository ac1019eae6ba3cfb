import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { backupSchema, verifySchema } from '@millrace/contract';
import { Fault, lockHome } from '../../std/index.ts';
import type { Command } from '../command.ts';
import { facts } from '../show.ts';

export const backup: Command = {
  name: 'backup',
  about: {
    en: 'copy everything into a new folder, while the server runs: store, journal and secrets',
    zh: '在服务运行时把全部数据（存储、日志、密钥）备份到新目录',
  },
  operands: [{ name: 'FOLDER', about: { en: 'a folder that is not there yet', zh: '尚不存在的目录' } }],
  flags: [],
  examples: ['backup /var/backups/millrace-2026-01-31'],
  json: '{"folder"}',
  async run(call) {
    const client = await call.client();
    const folder = resolve(call.operands[0] ?? '');
    const answer = await client.call(backupSchema, 'POST', '/api/v1/backup', { folder });
    call.note(
      call.lang === 'zh'
        ? '此备份包含密钥材料，请像保管密码一样保管。'
        : 'This backup holds secrets: keep it as you would keep a password.',
    );
    call.answer(answer, () => facts([[call.lang === 'zh' ? '已备份到' : 'backed up to', answer.folder]]));
    return 0;
  },
};

/** What a home keeps; sockets and the lock are made anew. */
const KEPT = ['secrets.json', 'store.db', 'journal'];

export const restore: Command = {
  name: 'restore',
  about: {
    en: 'put a backup into an empty MILLRACE_HOME, and prove its books',
    zh: '把备份恢复到空的 MILLRACE_HOME，并验证账目',
  },
  operands: [{ name: 'FOLDER', about: { en: 'made by `backup`', zh: '由 `backup` 生成的目录' } }],
  flags: [],
  examples: ['restore /var/backups/millrace-2026-01-31'],
  json: '{"home","ok","invariants":[…]}',
  async run(call) {
    const { home, databaseUrl } = call.config;
    copyHome(resolve(call.operands[0] ?? ''), { home, external: databaseUrl !== undefined });
    // Opening it brings in what the journal has beyond the store, and settles what was running.
    const client = await call.client();
    const proof = await client.call(verifySchema, 'POST', '/api/v1/ledger/verify');
    const zh = call.lang === 'zh';
    const failed = proof.invariants.filter(({ ok }) => !ok);
    call.answer({ home, ...proof }, () =>
      facts([
        [zh ? '已恢复到' : 'restored to', home],
        [
          zh ? '账目' : 'books',
          failed.map(({ id, detail }) => `${id}: ${detail}`).join('; ') || (zh ? '正确' : 'right'),
        ],
      ]),
    );
    return proof.ok ? 0 : 1;
  },
};

function copyHome(from: string, { home, external }: { readonly home: string; readonly external: boolean }): void {
  const wanted = external ? KEPT.filter(name => name !== 'store.db') : KEPT;
  const absent = wanted.find(name => !existsSync(join(from, name)));
  if (absent !== undefined)
    throw new Fault('config_invalid', {
      message: `${from} is not a whole backup: it has no ${absent}`,
      messageZh: `${from} 不是完整的备份：缺少 ${absent}`,
    });
  using _lock = lockHome(home);
  const there = readdirSync(home).find(name => KEPT.includes(name));
  if (there !== undefined)
    throw new Fault('conflict', {
      message: `${home} is in use: it has a ${there}. Restore into a new MILLRACE_HOME, or move the old one away`,
      messageZh: `${home} 已有数据（${there}）：请恢复到新的 MILLRACE_HOME，或先移走旧目录`,
    });
  try {
    for (const name of wanted)
      cpSync(join(from, name), join(home, name), { recursive: true, preserveTimestamps: true });
  } catch (error) {
    // Half a home would start as if it were a whole one.
    for (const name of wanted) rmSync(join(home, name), { recursive: true, force: true });
    throw error;
  }
}
