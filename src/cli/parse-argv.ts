import { parseArgs } from 'node:util';
import { Fault, nearest } from '../ground/std/index.ts';
import { type Command, type Flag, GLOBAL_FLAGS } from './command.ts';

export interface Parsed {
  readonly values: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

export function usageFault(en: string, zh: string): Fault {
  return new Fault('config_invalid', { message: en, messageZh: zh });
}

/** Commands of two words that begin with this one. */
export function groupOf(first: string, commands: readonly Command[]): readonly Command[] {
  return commands.filter(({ name }) => name.startsWith(`${first} `));
}

/** The command that the first words name. Throws Fault `config_invalid` with the nearest one. */
export function findCommand(argv: readonly string[], commands: readonly Command[]): Command {
  const [first = '', second = ''] = argv;
  const found =
    commands.find(({ name }) => name === `${first} ${second}`) ?? commands.find(({ name }) => name === first);
  if (found) return found;
  const group = groupOf(first, commands).map(({ name }) => name.slice(first.length + 1));
  if (group.length > 0) {
    const meant = second.startsWith('-') ? undefined : nearest(second, group);
    throw usageFault(
      `"${first}" is followed by one of: ${group.join(', ')}${meant === undefined ? '' : `; did you mean "${first} ${meant}"?`}`,
      `“${first}”之后应为：${group.join('、')}${meant === undefined ? '' : `；是否想输入“${first} ${meant}”？`}`,
    );
  }
  const heads = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
  const meant = nearest(first, heads);
  throw usageFault(
    `There is no command "${first}"${meant === undefined ? '' : `; did you mean "${meant}"?`} (millrace help lists all)`,
    `没有命令“${first}”${meant === undefined ? '' : `，是否想输入“${meant}”？`}（millrace help 列出全部命令）`,
  );
}

/** Flags and operands after a command's name. Throws Fault `config_invalid`: one sentence, with what was probably meant. */
export function parseArgv(argv: readonly string[], command: Command): Parsed {
  const flags = [...command.flags, ...GLOBAL_FLAGS];
  const options = Object.fromEntries(
    flags.map(({ name, value, short }) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short ? { short } : {}) },
    ]),
  );
  // Not strict: its errors speak of this parser, and it takes "-5" for a flag.
  const { tokens } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: false, tokens: true });
  const values = new Map<string, string>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = flags.find(({ name }) => name === token.name);
    if (!flag) throw unknownFlag(token.rawName, command, flags);
    if (values.has(flag.name)) throw usageFault(`--${flag.name} stands twice`, `--${flag.name} 出现了两次`);
    values.set(flag.name, flagValue(flag, token));
  }
  // Help is given whatever else is missing.
  if (!values.has('help')) checkWhole(command, values, operands);
  return { values, operands };
}

function flagValue(
  flag: Flag,
  token: { readonly rawName: string; readonly value: string | undefined; readonly inlineValue: boolean | undefined },
): string {
  if (flag.value === undefined) {
    if (token.value !== undefined) throw usageFault(`${token.rawName} takes no value`, `${token.rawName} 不接受值`);
    return '';
  }
  // A flag in the place of the value: the value was forgotten. `--flag=--value` says it was not.
  if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--')))
    throw usageFault(
      `${token.rawName} needs a value: ${token.rawName} ${flag.value}`,
      `${token.rawName} 需要一个值：${token.rawName} ${flag.value}`,
    );
  if (token.value === '') throw usageFault(`${token.rawName} is empty`, `${token.rawName} 为空`);
  return token.value;
}

function unknownFlag(rawName: string, { name }: Command, flags: readonly Flag[]): Fault {
  const meant = nearest(
    rawName.replace(/^-+/, ''),
    flags.map(flag => flag.name),
  );
  return usageFault(
    `${name} has no flag ${rawName}${meant === undefined ? '' : `; did you mean --${meant}?`} (millrace ${name} --help)`,
    `${name} 没有选项 ${rawName}${meant === undefined ? '' : `，是否想输入 --${meant}？`}（millrace ${name} --help）`,
  );
}

function checkWhole(
  { name, flags, operands: wanted = [] }: Command,
  values: ReadonlyMap<string, string>,
  operands: readonly string[],
): void {
  const absent = wanted[operands.length];
  if (absent) throw missing(name, absent.name);
  const empty = wanted[operands.indexOf('')];
  if (empty) throw usageFault(`${name}: ${empty.name} is empty`, `${name}：${empty.name} 为空`);
  const extra = operands[wanted.length];
  if (extra !== undefined)
    throw usageFault(
      `${name}: "${extra}" is one word too many (millrace ${name} --help)`,
      `${name}：“${extra}”是多余的（millrace ${name} --help）`,
    );
  for (const flag of flags) {
    if (flag.required && !values.has(flag.name)) throw missing(name, `--${flag.name} ${flag.value ?? ''}`.trim());
  }
}

function missing(name: string, what: string): Fault {
  return usageFault(
    `${name}: ${what} is missing (millrace ${name} --help)`,
    `${name}：缺少 ${what}（millrace ${name} --help）`,
  );
}
