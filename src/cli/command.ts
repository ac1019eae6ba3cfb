import type { Config, Environment } from '../config.ts';
import type { Lang, Words } from '../control/index.ts';
import type { ControlClient } from './client.ts';

export interface Flag {
  /** Long name, without dashes. */
  readonly name: string;
  /** What stands for its value in the help; absent: the flag has none. */
  readonly value?: string;
  readonly short?: string;
  readonly required?: boolean;
  /** Shown in the list of commands though it is not required in every case. */
  readonly usual?: boolean;
  readonly about: Words;
}

export interface Operand {
  readonly name: string;
  readonly about: Words;
}

/** A command as data: parsed, explained and documented from here. */
export interface Command {
  /** One or two words, as typed: `key create`. */
  readonly name: string;
  readonly about: Words;
  /** Words that must follow. */
  readonly operands?: readonly Operand[];
  readonly flags: readonly Flag[];
  /** Flags and words by the field of the control API (without indexes), or the variable, that they become. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Lines to try, without `./millrace`. */
  readonly examples: readonly string[];
  /** Shape of the answer with `--json`. */
  readonly json: string;
  /** What its shape alone does not say. */
  readonly jsonMore?: Readonly<Record<Lang, string>>;
  /** Words of the control API's refusals, and those that the person types here. */
  readonly terms?: Readonly<Record<string, string>>;
  readonly run: (call: CommandCall) => Promise<number>;
}

/** One use of a command, parsed. */
export interface CommandCall {
  readonly config: Config;
  readonly env: Environment;
  readonly lang: Lang;
  readonly json: boolean;
  readonly operands: readonly string[];
  /** Value of a flag that is required. */
  text(name: string): string;
  optional(name: string): string | undefined;
  isSet(name: string): boolean;
  /** The running server, or the same control plane in this process; opened at the first call, closed after the command. */
  client(): Promise<ControlClient>;
  /** Prints the answer: the object as JSON, or the text to a person. */
  answer(value: object, text: () => string): void;
  /** A part of an answer that has a form of its own, as it is. */
  print(text: string): void;
  /** Words that are no answer: for people, on stderr. */
  note(text: string): void;
}

/** What the tool may touch of the world. */
export interface World {
  readonly env: Environment;
  stdout(text: string): void;
  stderr(text: string): void;
}

export const ORG: Flag = {
  name: 'org',
  value: 'ID',
  required: true,
  about: { en: 'the organization', zh: '组织' },
};

export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: 'json', about: { en: 'print one JSON object, for programs', zh: '输出一个 JSON 对象，供程序使用' } },
  { name: 'lang', value: 'en|zh', about: { en: 'the language', zh: '语言' } },
  { name: 'help', short: 'h', about: { en: 'explain the command', zh: '显示命令说明' } },
];
