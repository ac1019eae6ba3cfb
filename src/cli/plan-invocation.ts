import { BadInput, type Language } from '../money/planner/index.ts';

/** What the command may touch of the world; files default to the real ones. */
export interface PlanIo {
  stdout(text: string): void;
  stderr(text: string): void;
  readonly json: boolean;
  readonly lang: Language;
  readFile?(path: string): Promise<string>;
  writeFile?(path: string, text: string): Promise<void>;
}

export const PLAN_USAGE: Readonly<Record<Language, string>> = {
  en: `millrace plan: will this model earn?

  plan case NAME|all            published figures against what the planner computes; exit 1 when a verified one misses
  plan run SCENARIO             the full answer: nodes, latency, cost, revenue, margin, break-even, sensitivities
  plan curve SCENARIO           cost and throughput over tokens per second of one user
  plan study SCENARIO           a thousand scenarios at once          --samples N  --seed N
  plan compare SCENARIO…        side by side
  plan show SCENARIO            prints it as YAML, to save and change
  plan list models|hardware|prices|profiles|scenarios|cases

  SCENARIO is a YAML file or the name of a shipped one.
  --set PATH=VALUE   changes a field, e.g. --set demand.output="50 Gtok/day"; may be repeated
  --save FILE        writes the scenario with its changes
  --report FILE      writes a self-contained HTML page        --svg FILE   writes the plot of case and curve
  --lang en|zh       --json
`,
  zh: `millrace plan：这个模型能赚钱吗？

  plan case 名称|all            用规划器复算公开数字；已核实的数字超差时退出码为 1
  plan run 方案                 完整结果：节点、延迟、成本、收入、毛利率、盈亏平衡、敏感性
  plan curve 方案               成本与吞吐随每用户速度变化的曲线
  plan study 方案               一次模拟上千种情景          --samples N  --seed N
  plan compare 方案…            多个方案并排对比
  plan show 方案                以 YAML 打印，便于保存和修改
  plan list models|hardware|prices|profiles|scenarios|cases

  “方案”可以是 YAML 文件，也可以是内置方案的名称。
  --set 路径=值      修改一个字段，例如 --set demand.output="50 Gtok/day"，可重复使用
  --save 文件        保存修改后的方案
  --report 文件      生成自包含的 HTML 报告              --svg 文件   保存 case 与 curve 的图
  --lang en|zh       --json
`,
};

/** A command line of `plan`, parsed by its own rules: words may repeat, `--set` too. */
export interface Invocation {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly changes: readonly string[];
  readonly json: boolean;
  readonly lang: Language;
}

const VALUED = new Set(['report', 'svg', 'save', 'lang', 'samples', 'seed', 'set']);

export function invocation(args: readonly string[], io: PlanIo): Invocation {
  const words: string[] = [];
  const changes: string[] = [];
  const options = new Map<string, string>();
  let json = io.json;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (!arg.startsWith('--')) words.push(arg);
    else if (arg === '--json') json = true;
    else if (arg === '--help') words.unshift('help');
    else {
      const [name = '', inline] = arg.slice(2).split(/=(.*)/s);
      if (!VALUED.has(name))
        throw new BadInput(arg, 'unknown option; see millrace plan --help', '未知选项；见 millrace plan --help');
      const value = inline !== undefined && name !== 'set' ? inline : args[++index];
      if (value === undefined) throw new BadInput(`--${name}`, 'needs a value', '需要一个值');
      if (name === 'set') changes.push(value);
      else options.set(name, value);
    }
  }
  const lang = options.get('lang') ?? io.lang;
  if (lang !== 'en' && lang !== 'zh')
    throw new BadInput('--lang', `"${lang}" is neither en nor zh`, `“${lang}”既不是 en 也不是 zh`);
  return { words, options, changes, json, lang };
}

/** The language of an error, which may be about the very option that sets it. */
export function wantsChinese(args: readonly string[], io: PlanIo): boolean {
  const place = args.indexOf('--lang');
  const chosen = place >= 0 ? args[place + 1] : args.find(arg => arg.startsWith('--lang='))?.slice(7);
  return (chosen ?? io.lang) === 'zh';
}
