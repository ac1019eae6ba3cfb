import type { Lang } from '../control/index.ts';
import { type Command, type Flag, GLOBAL_FLAGS } from './command.ts';
import { facts } from './show.ts';

const WORDS = {
  en: {
    title: 'Millrace: one API, one router, one bill.',
    usage: 'Usage: ',
    flags: 'Flags:',
    operands: 'Words:',
    examples: 'Examples:',
    json: 'With --json: ',
    semicolon: '; ',
    required: ' (required)',
    more: './millrace COMMAND --help says more. Every command takes --json and --lang en|zh.',
    config: 'The environment sets up the server: MILLRACE_HOME, MILLRACE_PORT … (docs/en/reference/configuration.md).',
  },
  zh: {
    title: 'Millrace：一个 API，一个路由，一张账单。',
    usage: '用法：',
    flags: '选项：',
    operands: '参数：',
    examples: '示例：',
    json: '使用 --json 时输出：',
    semicolon: '；',
    required: '（必填）',
    more: '运行 `./millrace 命令 --help` 查看详情。所有命令都支持 --json 与 --lang en|zh。',
    config: '服务通过环境变量设置：MILLRACE_HOME、MILLRACE_PORT 等（见 docs/zh/reference/configuration.md）。',
  },
} as const;

export function helpText(commands: readonly Command[], lang: Lang): string {
  const words = WORDS[lang];
  const rows = commands.map(command => [`  ${synopsis(command, { whole: false })}`, command.about[lang]] as const);
  return [words.title, '', words.usage.trimEnd(), facts(rows), '', words.more, words.config].join('\n');
}

export function commandHelp(command: Command, lang: Lang): string {
  const words = WORDS[lang];
  const part = (title: string, rows: readonly (readonly [string, string])[]) =>
    rows.length === 0 ? [] : ['', title, facts(rows.map(([name, about]) => [`  ${name}`, about]))];
  return [
    `${words.usage}millrace ${synopsis(command, { whole: true })}`,
    '',
    command.about[lang],
    ...part(
      words.operands,
      (command.operands ?? []).map(({ name, about }) => [name, about[lang]]),
    ),
    ...part(
      words.flags,
      [...command.flags, ...GLOBAL_FLAGS].map(flag => [
        flagText(flag),
        flag.required ? `${flag.about[lang]}${words.required}` : flag.about[lang],
      ]),
    ),
    '',
    words.examples,
    ...command.examples.map(example => `  ${commandLine(example)}`),
    '',
    `${words.json}${command.json}${command.jsonMore ? `${words.semicolon}${command.jsonMore[lang]}` : ''}`,
  ].join('\n');
}

/** An example as it is typed; one that sets a variable first says so itself. */
export function commandLine(example: string): string {
  return example.includes('./millrace') ? example : `./millrace ${example}`;
}

export function flagText({ name, value, short }: Flag): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

/** `key create [--org ID] …`; not whole: only what is required. */
export function synopsis({ name, flags, operands = [] }: Command, { whole }: { readonly whole: boolean }): string {
  const shown = flags
    .filter(({ required, usual }) => whole || required || usual)
    .map(flag => {
      const text = flag.short === undefined ? flagText(flag) : `-${flag.short} ${flag.value ?? ''}`.trim();
      return flag.required || (flag.usual && !whole) ? text : `[${text}]`;
    });
  return [name, ...operands.map(operand => operand.name), ...shown].join(' ');
}
