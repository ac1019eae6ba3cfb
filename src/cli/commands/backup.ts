import { resolve, sep } from 'node:path';
import { backupSchema, verifySchema } from '@millrace/contract';
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
    if (`${folder}${sep}`.startsWith(`${call.config.home}${sep}`))
      call.note(
        call.lang === 'zh'
          ? '它位于 MILLRACE_HOME 之内，会随之一起丢失。'
          : 'It lies inside MILLRACE_HOME, and would be lost with it.',
      );
    call.answer(answer, () => facts([[call.lang === 'zh' ? '已备份到' : 'backed up to', answer.folder]]));
    return 0;
  },
};

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
    const { restoreHome } = await import('../../control/index.ts');
    const takeOut = await restoreHome(resolve(call.operands[0] ?? ''), {
      home,
      store: databaseUrl === undefined ? 'sqlite' : 'postgres',
    });
    // Opening it brings in what the journal has beyond the store, and settles what was running.
    const client = await call.client().catch((error: unknown) => {
      takeOut();
      throw error;
    });
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
