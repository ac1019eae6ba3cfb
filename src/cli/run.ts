import { controlSocket, langOf, readConfig } from '../config.ts';
import type { Lang } from '../control/index.ts';
import { Fault, toFault } from '../std/index.ts';
import { type ControlClient, openControlClient } from './client.ts';
import type { Command, CommandCall, World } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { commandHelp, helpText } from './help.ts';
import { findCommand, parseArgv } from './parse-argv.ts';

/** Done; tried and failed; used wrongly. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Runs one command line. Answers go to stdout, all else to stderr; the exit code is returned. */
export async function runCli(argv: readonly string[], world: World): Promise<number> {
  const { lang, json, rest } = globals(argv, world);
  try {
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
  readonly rest: readonly string[];
}

/** The language and the form of the answer are found before anything else: a mistake is told in them, too. */
function globals(argv: readonly string[], { env }: World): Globals {
  const rest = [...argv];
  let lang = langOf(env);
  let json = false;
  const asked = (text: string | undefined) => {
    if (text === 'en' || text === 'zh') lang = text;
  };
  for (const [index, word] of argv.entries()) {
    if (word === '--') break;
    if (word === '--json') json = true;
    if (word === '--lang') asked(argv[index + 1]);
    if (word.startsWith('--lang=')) asked(word.slice('--lang='.length));
  }
  // Before the command's name they stand alone; after it they are parsed with its flags.
  for (;;) {
    const [word = ''] = rest;
    if (word === '--json' || word.startsWith('--lang=')) rest.shift();
    else if (word === '--lang') rest.splice(0, 2);
    else break;
  }
  return { lang, json, rest };
}

async function dispatch(
  argv: readonly string[],
  { lang, json, world }: { readonly lang: Lang; readonly json: boolean; readonly world: World },
): Promise<number> {
  const [first = 'help', ...others] = argv;
  if (first === 'plan') {
    // Loaded when it is used: the planner with its data files is half of what this tool would load.
    const { planCommand } = await import('./plan.ts');
    return planCommand(others, { stdout: world.stdout, stderr: world.stderr, json, lang });
  }
  if (first === 'help' || first === '--help' || first === '-h') {
    const named = others.filter(word => !word.startsWith('-'));
    const text = named.length > 0 ? commandHelp(findCommand(named, COMMANDS), lang) : helpText(COMMANDS, lang);
    world.stdout(`${text}\n`);
    return EXIT.ok;
  }
  const command = findCommand(first === '--version' ? ['version'] : argv, COMMANDS);
  const words = argv.slice(command.name.split(' ').length);
  const { values, operands } = parseArgv(words, command);
  if (values.has('help')) {
    world.stdout(`${commandHelp(command, lang)}\n`);
    return EXIT.ok;
  }
  checkLang(values.get('lang'));
  return runCommand(command, { values, operands, lang, json, world });
}

function checkLang(text: string | undefined): void {
  if (text !== undefined && text !== 'en' && text !== 'zh')
    throw new Fault('config_invalid', {
      message: `--lang: "${text}" is neither en nor zh`,
      messageZh: `--lang：“${text}”既不是 en 也不是 zh`,
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
