import { readFile as readFileAsync, writeFile as writeFileAsync } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse, parseDocument } from 'yaml';
import {
  ARCHITECTURES,
  answer,
  BadInput,
  CASE_NAMES,
  type CaseResult,
  caseHolds,
  caseHtml,
  caseReport,
  caseText,
  comparisonHtml,
  comparisonRows,
  curveChart,
  curveText,
  errorsChart,
  type FleetAnswer,
  fleetHtml,
  fleetJson,
  fleetText,
  HARDWARE,
  interactivityCurve,
  type Language,
  PRICE_BOOKS,
  PROFILES,
  parameters,
  parseScenario,
  runCase,
  SCENARIOS,
  type Scenario,
  study,
  studyJson,
  studyText,
  textTable,
  waterfallChart,
} from '../money/planner/index.ts';
import { type Invocation, invocation, PLAN_USAGE, type PlanIo, wantsChinese } from './plan-invocation.ts';

interface Context extends Invocation {
  readonly io: PlanIo;
  readonly readFile: (path: string) => Promise<string>;
  readonly writeFile: (path: string, text: string) => Promise<void>;
}

/** The YAML text of a scenario, from a file or shipped, with `--set` changes applied to the document so that comments stay. */
async function scenarioText(context: Context, name: string): Promise<{ text: string; folder: string }> {
  const shipped = SCENARIOS.find(scenario => scenario.id === name);
  const source = shipped ? shipped.yaml : await readText(context, name);
  const document = parseDocument(source);
  const fault = document.errors[0];
  if (fault)
    throw new BadInput(
      name,
      `is no YAML: ${fault.message.split('\n')[0] ?? ''}`,
      `不是合法的 YAML：${fault.message.split('\n')[0] ?? ''}`,
    );
  for (const change of context.changes) {
    const [path = '', value] = change.split(/=(.*)/s);
    if (value === undefined || path === '')
      throw new BadInput(
        '--set',
        `"${change}" is no change; write one such as demand.output="50 Gtok/day"`,
        `“${change}”不是修改；请写成 demand.output="50 Gtok/day" 的形式`,
      );
    document.setIn(path.split('.'), parse(value));
  }
  return { text: String(document), folder: shipped ? '.' : dirname(resolve(name)) };
}

async function readText(context: Context, path: string): Promise<string> {
  try {
    return await context.readFile(path);
  } catch {
    throw new BadInput(
      path,
      `is no file that can be read, and no shipped scenario; those are ${SCENARIOS.map(scenario => scenario.id).join(', ')}`,
      `既不是可读的文件，也不是内置方案（${SCENARIOS.map(scenario => scenario.id).join('、')}）`,
    );
  }
}

/** Config files that the scenario names, read before the planner (which touches no files) asks for them. */
async function readConfigs(context: Context, document: unknown, folder: string): Promise<ReadonlyMap<string, unknown>> {
  const configs = new Map<string, unknown>();
  if (typeof document !== 'object' || document === null || !('model' in document)) return configs;
  const { model } = document;
  if (typeof model !== 'object' || model === null || !('config' in model) || typeof model.config !== 'string')
    return configs;
  const text = await readText(context, resolve(folder, model.config));
  try {
    configs.set(model.config, JSON.parse(text));
  } catch {
    throw new BadInput('model.config', `${model.config} is no JSON`, `${model.config} 不是合法的 JSON`);
  }
  return configs;
}

async function load(context: Context, name: string): Promise<Scenario> {
  const { text, folder } = await scenarioText(context, name);
  const document: unknown = parse(text);
  const configs = await readConfigs(context, document, folder);
  const scenario = parseScenario(document, path => configs.get(path));
  const save = context.options.get('save');
  if (save) await context.writeFile(save, text);
  return scenario;
}

/** The word after the command, where there is no place for another. */
function oneWord({ words: [, word, extra] }: Context): string | undefined {
  if (extra !== undefined) throw new BadInput('plan', `"${extra}" is one word too many`, `“${extra}”是多余的`);
  return word;
}

function oneName(context: Context): string {
  const name = oneWord(context);
  if (name === undefined)
    throw new BadInput(
      'scenario',
      `is missing; shipped are ${SCENARIOS.map(scenario => scenario.id).join(', ')}`,
      `缺失；内置方案有 ${SCENARIOS.map(scenario => scenario.id).join('、')}`,
    );
  return name;
}

async function writeOption(context: Context, option: 'report' | 'svg', content: () => string): Promise<void> {
  const path = context.options.get(option);
  if (path) await context.writeFile(path, content());
}

function whole(context: Context, option: 'samples' | 'seed', fallback: number, max: number): number {
  const text = context.options.get(option);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > max)
    throw new BadInput(
      `--${option}`,
      `"${text}" is not a whole number from 1 to ${max}`,
      `“${text}”不是 1 到 ${max} 的整数`,
    );
  return value;
}

const toJson = (value: unknown): string =>
  `${JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner), 2)}\n`;

async function runCases(context: Context): Promise<number> {
  const { io, json, lang } = context;
  const name = oneWord(context);
  if (name === undefined)
    throw new BadInput('case', `is missing; known are ${CASE_NAMES.join(', ')}`, `缺失；可用 ${CASE_NAMES.join('、')}`);
  const results: readonly CaseResult[] = (name === 'all' ? CASE_NAMES : [name]).map(runCase);
  const first = results[0];
  if (json) io.stdout(toJson(name === 'all' ? results.map(caseReport) : first && caseReport(first)));
  else io.stdout(results.map(result => caseText(result, lang)).join('\n'));
  if (first) {
    await writeOption(context, 'report', () => caseHtml(first, lang));
    await writeOption(context, 'svg', () =>
      first.waterfall ? waterfallChart(first.waterfall, lang) : errorsChart(first, lang),
    );
  }
  return results.every(caseHolds) ? 0 : 1;
}

async function runScenario(context: Context): Promise<number> {
  const found = answer(await load(context, oneName(context)));
  context.io.stdout(context.json ? toJson(fleetJson(found)) : fleetText(found, context.lang));
  await writeOption(context, 'report', () => fleetHtml(found, study(found.scenario, 1000, 1), context.lang));
  await writeOption(context, 'svg', () => curveChart(found.scenario, found.curve, context.lang));
  return 0;
}

async function runCurve(context: Context): Promise<number> {
  const scenario = await load(context, oneName(context));
  const curve = interactivityCurve(scenario);
  context.io.stdout(
    context.json
      ? toJson({ scenario: scenario.name, currency: scenario.currency, curve })
      : curveText({ scenario, curve }, context.lang),
  );
  await writeOption(context, 'svg', () => curveChart(scenario, curve, context.lang));
  return 0;
}

async function runStudy(context: Context): Promise<number> {
  const scenario = await load(context, oneName(context));
  const result = study(scenario, whole(context, 'samples', 1000, 100_000), whole(context, 'seed', 1, 2 ** 32 - 1));
  context.io.stdout(context.json ? toJson(studyJson(scenario, result)) : studyText(scenario, result, context.lang));
  await writeOption(context, 'report', () => fleetHtml(answer(scenario), result, context.lang));
  return 0;
}

async function runCompare(context: Context): Promise<number> {
  const names = context.words.slice(1);
  if (names.length < 2) throw new BadInput('compare', 'needs two scenarios or more', '至少需要两个方案');
  const answers: FleetAnswer[] = [];
  for (const name of names) answers.push(answer(await load(context, name)));
  const { header, rows } = comparisonRows(answers, context.lang);
  context.io.stdout(
    context.json
      ? toJson(answers.map(fleetJson))
      : textTable(
          header,
          rows,
          header.map(() => 'left'),
        ),
  );
  await writeOption(context, 'report', () => comparisonHtml(answers, context.lang));
  return 0;
}

function listRows(what: string, lang: Language): readonly (readonly string[])[] | undefined {
  const billions = (value: number) => `${(value / 1e9).toFixed(1)}B`;
  if (what === 'models') {
    return ARCHITECTURES.map(model => {
      const { total, active } = parameters(model);
      return [
        model.id,
        model.name,
        total === active ? billions(total) : `${billions(total)} / ${billions(active)}`,
        model.source,
        model.date,
      ];
    });
  }
  if (what === 'hardware')
    return HARDWARE.map(one => [
      one.id,
      one.name,
      `${one.bf16Tflops} TFLOPS`,
      `${one.memoryGb} GB`,
      `${one.bandwidthGbps} GB/s`,
      one.prices[0]?.price ?? '',
      one.prices[0]?.trust ?? '',
      `±${one.errorPct}%`,
      one.source,
    ]);
  if (what === 'prices')
    return PRICE_BOOKS.map(book => [
      book.id,
      book.name,
      book.currency,
      book.bands.map(band => band.name).join(', '),
      book.trust,
      book.source,
      book.date,
    ]);
  if (what === 'profiles') return PROFILES.map(profile => [profile.id, profile.source]);
  if (what === 'scenarios') return SCENARIOS.map(scenario => [scenario.id, scenario.title[lang]]);
  if (what === 'cases') return CASE_NAMES.map(name => [name, runCase(name).title[lang]]);
  return undefined;
}

async function runList(context: Context): Promise<number> {
  const what = oneWord(context) ?? 'scenarios';
  const rows = listRows(what, context.lang);
  if (!rows)
    throw new BadInput(
      'list',
      `"${what}" is none of models, hardware, prices, profiles, scenarios, cases`,
      `“${what}”不在 models、hardware、prices、profiles、scenarios、cases 之中`,
    );
  context.io.stdout(context.json ? toJson(rows) : textTable(rows[0]?.map(() => '') ?? [], rows, []));
  return 0;
}

const COMMANDS: Readonly<Record<string, (context: Context) => Promise<number>>> = {
  case: runCases,
  run: runScenario,
  curve: runCurve,
  study: runStudy,
  compare: runCompare,
  list: runList,
  show: async context => {
    const { text } = await scenarioText(context, oneName(context));
    context.io.stdout(context.json ? toJson(parse(text)) : text);
    return 0;
  },
  help: async context => {
    const help = PLAN_USAGE[context.lang];
    context.io.stdout(context.json ? toJson({ help }) : help);
    return 0;
  },
};

function cannotWrite(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  return new BadInput(path, `cannot be written (${String(error.code)})`, `无法写入（${String(error.code)}）`);
}

/**
 * `millrace plan …`. Writes its answer through `io`; the exit code is 0, 1 where a verified row of a case misses its tolerance,
 * and 2 for input that cannot be computed with, with one sentence on stderr that says what would be right.
 */
export async function planCommand(args: readonly string[], io: PlanIo): Promise<number> {
  try {
    const call = invocation(args, io);
    const context: Context = {
      ...call,
      io,
      readFile: io.readFile ?? (path => readFileAsync(path, 'utf8')),
      writeFile: (path, text) =>
        (io.writeFile ?? writeFileAsync)(path, text).catch((error: unknown) => {
          throw cannotWrite(path, error);
        }),
    };
    const name = call.words[0] ?? 'help';
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command)
      throw new BadInput(
        'plan',
        `unknown command "${name}"; known are ${Object.keys(COMMANDS).join(', ')}`,
        `未知命令“${name}”，可用 ${Object.keys(COMMANDS).join('、')}`,
      );
    return await command(context);
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    const message = wantsChinese(args, io) ? error.zh : error.message;
    if (io.json || args.includes('--json')) io.stdout(toJson({ error: { code: 'config_invalid', message } }));
    io.stderr(`${message}\n`);
    return 2;
  }
}
