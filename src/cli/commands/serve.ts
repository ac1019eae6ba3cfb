import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../config.ts';
import { Fault } from '../../ground/std/index.ts';
import type { Command } from '../command.ts';
import { startText } from '../start-text.ts';

/** Flags of `serve`, and the variable that each stands for. */
const OVERRIDES = { host: 'MILLRACE_HOST', port: 'MILLRACE_PORT', threads: 'MILLRACE_THREADS' } as const;
const ACCEPT_LOSS = 'accept-journal-loss';

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
    {
      name: ACCEPT_LOSS,
      about: {
        en: 'start though the journal of this node is gone; what it held is booked as lost (`suspense list`)',
        zh: '即使本节点的日志已丢失也启动，丢失的内容会记入挂账（`suspense list`）',
      },
    },
  ],
  fields: Object.fromEntries(Object.entries(OVERRIDES).map(([flag, variable]) => [variable, `--${flag}`])),
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
    const running = await start({ ...config, lang: call.lang, acceptJournalLoss: call.isSet(ACCEPT_LOSS) });
    if (running.isHomeOpen)
      call.note(
        call.lang === 'zh'
          ? `其他用户可以进入 ${config.home}：请运行 chmod 700 "${config.home}"`
          : `Other users may enter ${config.home}: run chmod 700 "${config.home}"`,
      );
    if (running.isValkeyAway)
      call.note(
        call.lang === 'zh'
          ? 'VALKEY_URL 无法连接，将继续重试：在此之前密钥的限额按节点数均分'
          : 'VALKEY_URL does not answer, and is tried again: until then limits of keys are divided by the nodes',
      );
    for (const { deploymentId, message, messageZh } of running.failedEngines)
      call.note(
        call.lang === 'zh'
          ? `引擎 ${deploymentId} 无法启动，将继续重试：${messageZh}`
          : `The engine of ${deploymentId} does not start, and is tried again: ${message}`,
      );
    const models = running.models.map(({ id }) => id);
    call.answer({ url: running.url, models, key: running.firstKey ?? null }, () =>
      startText(
        {
          ...running,
          home: config.home,
          isUsualHome: !call.env['MILLRACE_HOME'],
          isPublic: config.host !== 'localhost' && !isLoopback(config.host),
        },
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
    en: 'measure the speed that is claimed, on this machine; takes some minutes (docs/en/benchmarks.md)',
    zh: '在本机上测量所声称的速度，需要几分钟（见 docs/zh/benchmarks.md）',
  },
  flags: [
    { name: 'quick', about: { en: 'a short form, about a minute', zh: '简短形式，约一分钟' } },
    {
      name: 'only',
      value: 'CASE,…',
      about: {
        en: 'some of json, stream, latency, memory, nginx',
        zh: 'json、stream、latency、memory、nginx 中的若干项',
      },
    },
    {
      name: 'out',
      value: 'FILE',
      about: {
        en: 'where the JSON goes; otherwise a new file in bench/results/local',
        zh: 'JSON 结果的路径；默认在 bench/results/local 中新建文件',
      },
    },
    { name: 'check', about: { en: 'exit with 1 when a target is missed', zh: '未达成目标时以 1 退出' } },
  ],
  examples: ['bench --quick', 'bench --only json,stream --out result.json'],
  json: '{"bench","version","commit","date","seconds","quick","machine","pinning","noise":{"otherMachines","otherPrograms"},"sizes","cases":[…],"met"}',
  run: async call => {
    if (!existsSync(BENCH))
      throw new Fault('config_invalid', {
        message: 'The bench is part of the source tree: clone the repository to run it',
        messageZh: '性能测试只包含在源码中：请克隆仓库后运行',
      });
    const flags = ['quick', 'check'].filter(name => call.isSet(name)).map(name => `--${name}`);
    const values = ['only', 'out'].flatMap(name => {
      const value = call.optional(name);
      return value === undefined ? [] : [`--${name}=${value}`];
    });
    const child = spawn(process.execPath, [BENCH, ...flags, ...values, ...(call.json ? ['--json'] : [])], {
      // The channel tells it when we are gone, however we went.
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...call.env, MILLRACE_LANG: call.lang },
    });
    const pass = (signal: NodeJS.Signals) => void child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, pass);
    if (call.config.supervised) process.on('disconnect', () => pass('SIGTERM'));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', code => resolve(code ?? 1));
    });
  },
};
