import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../config.ts';
import { Fault } from '../../std/index.ts';
import type { Command } from '../command.ts';
import { startText } from '../start-text.ts';

/** Flags of `serve`, and the variable that each stands for. */
const OVERRIDES = { host: 'MILLRACE_HOST', port: 'MILLRACE_PORT', threads: 'MILLRACE_THREADS' } as const;

export const serve: Command = {
  name: 'serve',
  about: {
    en: 'start the server; Ctrl+C or SIGTERM ends it after running requests',
    zh: '启动服务；Ctrl+C 或 SIGTERM 会在处理完进行中的请求后停止',
  },
  flags: [
    { name: 'host', value: 'ADDRESS', about: { en: 'in place of MILLRACE_HOST', zh: '代替 MILLRACE_HOST' } },
    {
      name: 'port',
      value: 'N',
      about: { en: 'in place of MILLRACE_PORT; 0 takes a free one', zh: '代替 MILLRACE_PORT；0 表示任选空闲端口' },
    },
    { name: 'threads', value: 'N', about: { en: 'in place of MILLRACE_THREADS', zh: '代替 MILLRACE_THREADS' } },
  ],
  examples: ['serve', 'serve --port 9090'],
  json: '{"url","models":[…],"key"}',
  async run(call) {
    const given = Object.entries(OVERRIDES).flatMap(([flag, variable]) => {
      const value = call.optional(flag);
      return value === undefined ? [] : [[variable, value] as const];
    });
    const config = readConfig({ ...call.env, ...Object.fromEntries(given) });
    const { serve: start } = await import('../../main.ts');
    const { isLoopback } = await import('../../control/index.ts');
    const running = await start({ ...config, lang: call.lang });
    call.answer({ url: running.url, models: running.models, key: running.firstKey ?? null }, () =>
      startText(
        { ...running, home: config.home, isPublic: config.host !== 'localhost' && !isLoopback(config.host) },
        call.lang,
      ),
    );
    return running.stopped;
  },
};

const BENCH = fileURLToPath(new URL('../../../bench/main.ts', import.meta.url));

export const bench: Command = {
  name: 'bench',
  about: {
    en: 'measure this machine; all that follows goes to bench/main.ts',
    zh: '测量本机性能；之后的参数原样传给 bench/main.ts',
  },
  flags: [],
  examples: ['bench'],
  json: '—',
  run: async call => {
    if (!existsSync(BENCH))
      throw new Fault('config_invalid', {
        message: 'The bench is part of the source tree: clone the repository to run it',
        messageZh: '性能测试只包含在源码中：请克隆仓库后运行',
      });
    const child = spawn(process.execPath, [BENCH, ...call.operands], { stdio: 'inherit' });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', code => resolve(code ?? 1));
    });
  },
};
