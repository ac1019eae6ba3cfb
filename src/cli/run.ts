import { controlSocket, langOf, readConfig } from '../config.ts';
import type { Lang } from '../control/index.ts';
import { Fault, toFault } from '../ground/std/index.ts';
import { type ControlClient, openControlClient } from './client.ts';
import type { Command, CommandCall, World } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { commandHelp, helpText } from './help.ts';
import { findCommand, groupOf, parseArgv, usageFault } from './parse-argv.ts';

/** Done; tried and failed; used wrongly. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs one command line. Answers go to stdout, all else to stderr; the exit code is returned. */
export async function runCli(argv: readonly string[], world: World): Promise<number> {
  const { lang, json, rest, wrong } = globals(argv, world);
  try {
    if (wrong) throw wrong;
    return await dispatch(rest, { lang, json, world });
  } catch (error) {
    const fault = toFault(error);
    const message = fault.messageIn(lang);
    if (json) world.stdout(`${JSON.stringify({ error: { code: fault.code, message } })}\n`);
    // A bug of ours: its trace is what a report needs.
    world.stderr(
      `${message}\n${fault.code === 'internal' && fault.details.internal ? `${fault.details.internal}\n` : ''}`,
    );
    return exitOf(fault);
  }
}

/** What the person can put right by typing or writing something else is a wrong use. */
function exitOf(fault: Fault): number {
  const wrongUse = fault.status === 400 || fault.code === 'conflict';
  return wrongUse ? EXIT.usage : EXIT.failed;
}

interface Globals {
  readonly lang: Lang;
  readonly json: boolean;
  /** The command line without them. */
  readonly rest: readonly string[];
  readonly wrong: Fault | undefined;
}

/** The language and the form of the answer, wherever they stand; found before anything else, since a mistake is told in them, too. */
function globals(argv: readonly string[], { env }: World): Globals {
  const rest: string[] = [];
  let lang = langOf(env);
  let json = false;
  let wrong: Fault | undefined;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--') {
      rest.push(...argv.slice(index));
      break;
    }
    if (word === '--json') json = true;
    else if (word === '--lang' || word.startsWith('--lang=')) {
      const text = word === '--lang' ? argv[++index] : word.slice('--lang='.length);
      if (text === 'en' || text === 'zh') lang = text;
      else wrong = wrongLang(text);
    } else rest.push(word);
  }
  return { lang, json, rest, wrong };
}

function wrongLang(text: string | undefined): Fault {
  if (text === undefined || text === '' || text.startsWith('-'))
    return usageFault('--lang needs a value: --lang en|zh', '--lang 需要一个值：--lang en|zh');
  return usageFault(`--lang: "${text}" is neither en nor zh`, `--lang：“${text}”既不是 en 也不是 zh`);
}

const HELP: readonly string[] = ['help', '--help', '-h'];
const VERSION: readonly string[] = ['--version', '-v', '-V'];

async function dispatch(
  argv: readonly string[],
  { lang, json, world }: { readonly lang: Lang; readonly json: boolean; readonly world: World },
): Promise<number> {
  const [first = 'help', ...others] = argv;
  const explain = (text: string) => {
    world.stdout(`${json ? JSON.stringify({ help: text }) : text}\n`);
    return EXIT.ok;
  };
  if (first === 'plan') {
    // Loaded when it is used: the planner with its data files is half of what this tool would load.
    const { planCommand } = await import('./plan.ts');
    return planCommand(others, { stdout: world.stdout, stderr: world.stderr, json, lang });
  }
  if (HELP.includes(first))
    return explain(
      helpOn(
        others.filter(word => !word.startsWith('-')),
        lang,
      ),
    );
  // `key --help`: the first word of several commands, with nothing but the wish to know them.
  if (others.every(word => HELP.includes(word)) && groupOf(first, COMMANDS).length > 0 && others.length > 0)
    return explain(helpOn([first], lang));
  const command = findCommand(VERSION.includes(first) ? ['version'] : argv, COMMANDS);
  const words = argv.slice(command.name.split(' ').length);
  const { values, operands } = parseArgv(words, command);
  if (values.has('help')) return explain(commandHelp(command, lang));
  try {
    return await runCommand(command, { values, operands, lang, json, world });
  } catch (error) {
    throw inWordsOf(command, values, error);
  }
}

/** All commands, those that begin with a word, or one. Throws Fault `config_invalid`. */
function helpOn(words: readonly string[], lang: Lang): string {
  const [first] = words;
  if (first === undefined) return helpText(COMMANDS, lang);
  const group = words.length === 1 ? groupOf(first, COMMANDS) : [];
  return group.length > 0 ? helpText(group, lang) : commandHelp(findCommand(words, COMMANDS), lang);
}

/** The control API names its fields; the person knows the flags and words that they came from. */
function inWordsOf({ fields = {}, terms = {} }: Command, values: ReadonlyMap<string, string>, error: unknown): unknown {
  if (!(error instanceof Fault) || error.details.param === undefined) return error;
  const { param } = error.details;
  const word = fields[param.replaceAll(/\[\d+\]/g, '')];
  // A flag that was not given is not where it came from, unless that it is not given is what is wrong.
  const isFrom = word !== undefined && (!word.startsWith('--') || values.has(word.slice(2)));
  const renamed = (text: string) => {
    const rest = text.slice(param.length);
    const isNamed = text.startsWith(param) && (isFrom ? /^[ :：]/ : /^[:：] ?(?:is missing|缺失)/).test(rest);
    const told = isNamed && word !== undefined ? word + rest : text;
    return Object.entries(terms).reduce((whole, [term, typed]) => whole.replaceAll(term, typed), told);
  };
  return new Fault(error.code, {
    ...error.details,
    message: renamed(error.messageIn('en')),
    messageZh: renamed(error.messageIn('zh')),
  });
}

async function runCommand(
  command: Command,
  input: {
    readonly values: ReadonlyMap<string, string>;
    readonly operands: readonly string[];
    readonly lang: Lang;
    readonly json: boolean;
    readonly world: World;
  },
): Promise<number> {
  const { values, operands, lang, json, world } = input;
  const config = { ...readConfig(world.env), lang };
  let client: Promise<ControlClient> | undefined;
  const openPlane: Parameters<typeof openControlClient>[1]['openPlane'] = async place => {
    const { openControlPlane } = await import('../main.ts');
    return openControlPlane(place);
  };
  const call: CommandCall = {
    config,
    env: world.env,
    lang,
    json,
    operands,
    text: name => values.get(name) ?? '',
    optional: name => values.get(name),
    isSet: name => values.has(name),
    client() {
      client ??= openControlClient(config, { lang, socket: controlSocket(config.home), openPlane });
      return client;
    },
    answer: (value, text) => world.stdout(`${json ? JSON.stringify(value) : text()}\n`),
    print: text => world.stdout(text),
    note: text => world.stderr(`${text}\n`),
  };
  try {
    return await command.run(call);
  } finally {
    // Where it could not be opened, the command has already failed with the reason.
    await client?.then(
      opened => opened[Symbol.asyncDispose](),
      () => undefined,
    );
  }
}
