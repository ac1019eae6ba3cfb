// The command-line tool: thin over the control API. Prints answers on stdout, everything else on stderr.
import { environment, readConfig } from '../config.ts';
import { serve, VERSION } from '../main.ts';
import { Fault, toFault } from '../std/index.ts';
import { type Answer, restore, runCommand } from './commands.ts';
import { planCommand } from './plan.ts';
import { showObject } from './table.ts';
import { helpText, type Lang, startText } from './words.ts';

const env = environment();

async function main(argv: readonly string[]): Promise<number> {
  const lang = langOf(argv);
  const json = argv.includes('--json');
  try {
    return await run(argv, { lang, json });
  } catch (error) {
    const fault = toFault(error);
    const message = fault.messageIn(lang);
    if (json) process.stdout.write(`${JSON.stringify({ error: { code: fault.code, message } })}\n`);
    process.stderr.write(`${fault.code === 'internal' ? (fault.details.internal ?? message) : message}\n`);
    return fault.code === 'config_invalid' || fault.code === 'conflict' ? 2 : 1;
  }
}

async function run(
  argv: readonly string[],
  { lang, json }: { readonly lang: Lang; readonly json: boolean },
): Promise<number> {
  const [command] = argv;
  const out = (text: string) => void process.stdout.write(text);
  if (command === 'plan')
    return planCommand(argv.slice(1), { stdout: out, stderr: text => void process.stderr.write(text), json, lang });
  const words = argv.filter(
    (word, index) =>
      word !== '--json' && word !== '--lang' && argv[index - 1] !== '--lang' && !word.startsWith('--lang='),
  );
  if (command === undefined || command === 'help' || words.includes('--help') || words.includes('-h')) {
    out(`${helpText(lang)}\n`);
    return 0;
  }
  const print = (answer: Answer) => out(json ? `${JSON.stringify(answer)}\n` : `${showObject(answer)}\n`);
  if (command === 'version' || command === '--version') {
    print({ version: VERSION, node: process.versions.node });
    return 0;
  }
  const config = { ...readConfig(env), lang };
  if (command === 'serve') {
    if (words.length > 1)
      throw new Fault('config_invalid', {
        message: `serve takes no "${words[1]}": it is set up by the environment (millrace help)`,
        messageZh: `serve 不接受“${words[1]}”：请通过环境变量设置（参见 millrace help）`,
      });
    const running = await serve(config);
    if (json) out(`${JSON.stringify({ url: running.url, models: running.models, key: running.firstKey ?? null })}\n`);
    else out(startText(lang, running));
    return running.stopped;
  }
  if (command === 'restore') {
    const [, folder] = words;
    if (folder === undefined)
      throw new Fault('config_invalid', {
        message: 'restore: name the folder of the backup',
        messageZh: 'restore：请指定备份目录',
      });
    print(restore(folder, config));
    return 0;
  }
  const { answer, code } = await runCommand(words, { config, env });
  print(answer);
  return code;
}

function langOf(argv: readonly string[]): Lang {
  const at = argv.indexOf('--lang');
  const asked = at >= 0 ? argv[at + 1] : argv.find(word => word.startsWith('--lang='))?.slice(7);
  if (asked === 'zh' || asked === 'en') return asked;
  const text = env['MILLRACE_LANG'] || env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '';
  return /^zh/i.test(text) ? 'zh' : 'en';
}

const code = await main(process.argv.slice(2));
// Answers are written before the process ends; a server's threads and timers must not keep it.
process.stdout.write('', () => process.exit(code));
