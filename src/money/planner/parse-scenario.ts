import type { Architecture } from './architecture.ts';
import { BadInput } from './bad-input.ts';
import { ENGINE } from './data/engine.ts';
import { carriedOver } from './data/kernels.ts';
import type { Hardware } from './hardware.ts';
import { architectureFromConfig } from './hf-config.ts';
import { findArchitecture, findHardware, findPriceBook } from './lookup.ts';
import { parseDate } from './parse-date.ts';
import { parseDemand } from './parse-demand.ts';
import { averageDay, ownBook, type PriceBook } from './price-book.ts';
import { type Money, parseExchangeRate, parseMoney } from './quantity.ts';
import { type Parallelism, requireShape } from './replica-shape.ts';
import type { Costs, Scenario, Serving } from './scenario.ts';
import { openSection, type Section } from './section.ts';
import { CURRENCIES } from './units.ts';

const TOP = [
  'name',
  'model',
  'hardware',
  'precision',
  'serving',
  'demand',
  'price',
  'cost',
  'currency',
  'exchange',
  'notes',
] as const;
const PARALLEL = ['tp', 'pp', 'dp', 'ep'] as const;
const SERVING = [
  'mode',
  'prefill',
  'decode',
  'overlap',
  'redundantExperts',
  'speculation',
  'measured',
  'interactivity',
  'prefillBatch',
  'utilisation',
  'availability',
  'assurance',
  'spares',
  'wholeUnits',
  'scaling',
] as const;
const HARDWARE_KEYS = [
  'name',
  'bf16',
  'fp8',
  'fp4',
  'memory',
  'bandwidth',
  'scaleUp',
  'scaleUpDomain',
  'scaleOut',
  'perNode',
  'power',
  'price',
  'efficiencyOfH800',
  'errorPct',
] as const;

/** Reads what a scenario refers to by path: `model: { config: … }`. The command reads files, a test gives objects. */
export type ReadJson = (path: string) => unknown;

function parseModel(section: Section, readJson: ReadJson): Architecture {
  const id = typeof section.raw('model') === 'string' ? section.text('model') : undefined;
  if (id !== undefined) return findArchitecture('model', id);
  const custom = section.section('model', ['config', 'name']);
  const path = custom?.text('config');
  if (!custom || !path)
    throw new BadInput(
      'model',
      'is missing; write the id of a known model, or config: with the path of its config.json',
      '缺失；请写已知模型的 id，或用 config: 给出其 config.json 的路径',
    );
  return architectureFromConfig(readJson(path), custom.text('name') ?? path);
}

function parseHardware(section: Section): Hardware {
  const id = typeof section.raw('hardware') === 'string' ? section.text('hardware') : undefined;
  if (id !== undefined) return findHardware('hardware', id);
  const own = section.section('hardware', HARDWARE_KEYS);
  if (!own)
    throw new BadInput(
      'hardware',
      'is missing; write the id of a known accelerator, or its figures',
      '缺失；请写已知加速卡的 id，或给出其参数',
    );
  const need = (key: string, kind: 'flops' | 'bytes' | 'bandwidth'): number => {
    const value = own.quantity(key, kind);
    if (!value) throw new BadInput(`hardware.${key}`, 'is missing or zero', '缺失或为零');
    return value;
  };
  const bf16 = need('bf16', 'flops') / 1e12;
  const bandwidth = need('bandwidth', 'bandwidth');
  const fp8 = own.quantity('fp8', 'flops');
  const fp4 = own.quantity('fp4', 'flops');
  return {
    id: 'custom',
    name: own.text('name') ?? 'custom',
    bf16Tflops: bf16,
    ...(fp8 ? { fp8Tflops: fp8 / 1e12 } : {}),
    ...(fp4 ? { fp4Tflops: fp4 / 1e12 } : {}),
    memoryGb: need('memory', 'bytes') / 1e9,
    bandwidthGbps: bandwidth / 1e9,
    scaleUpGbps: (own.quantity('scaleUp', 'bandwidth') ?? 25e9) / 1e9,
    scaleUpDomain: own.count('scaleUpDomain', 8, { min: 1, max: 4096 }),
    scaleOutGbps: (own.quantity('scaleOut', 'bandwidth') ?? 12.5e9) / 1e9,
    perNode: own.count('perNode', 8, { min: 1, max: 1024 }),
    watts: own.quantity('power', 'power') ?? 0,
    prices: own.has('price')
      ? [{ price: own.text('price') ?? '', trust: 'assumed', source: 'scenario', date: '' }]
      : [],
    kernels: carriedOver(bf16, bandwidth / 1e9, own.count('efficiencyOfH800', 1, { min: 0.05, max: 1.4 })),
    errorPct: own.count('errorPct', 40, { min: 1, max: 90 }),
    trust: 'assumed',
    source: 'scenario',
    date: '',
  };
}

function parseParallel(section: Section | undefined, fallback: Parallelism): Parallelism {
  if (!section) return fallback;
  const range = { min: 1, max: 4096 };
  return {
    tp: section.count('tp', 1, range),
    pp: section.count('pp', 1, range),
    dp: section.count('dp', 1, range),
    ep: section.count('ep', 1, range),
  };
}

function parseServing(top: Section, model: Architecture): Serving {
  const section = top.section('serving', SERVING) ?? openSection('serving', {}, SERVING);
  const precision = top.section('precision', ['weights', 'cache']);
  const decode = parseParallel(section.section('decode', PARALLEL), { tp: 1, pp: 1, dp: 1, ep: 1 });
  const prefill = parseParallel(section.section('prefill', PARALLEL), decode);
  const mode = section.choice('mode', ['disaggregated', 'aggregated'], 'aggregated');
  if (mode === 'aggregated')
    section.without(['prefill', 'measured'], {
      en: 'where serving.mode is aggregated',
      zh: 'serving.mode 为 aggregated 时',
    });
  requireShape('serving.decode', model, decode);
  requireShape('serving.prefill', model, prefill);
  const drafts = section.section('speculation', ['draftTokens', 'acceptance']);
  const measured = section.section('measured', ['prefill', 'decode']);
  const share = (key: string, fallback: number) => section.quantity(key, 'ratio') ?? fallback;
  const rate = (key: string) => {
    const value = measured?.quantity(key, 'nodeThroughput');
    if (!value)
      throw new BadInput(
        `serving.measured.${key}`,
        'is missing or zero; write the tokens per second of one node, such as "14.8 ktok/s/node"',
        '缺失或为零；请写单节点每秒词元数，例如“14.8 ktok/s/node”',
      );
    return value;
  };
  return {
    mode,
    weights: precision?.choice('weights', ['bf16', 'fp8', 'int4', 'fp4'], 'fp8') ?? 'fp8',
    cache: precision?.choice('cache', ['bf16', 'fp8'], 'bf16') ?? 'bf16',
    prefill,
    decode,
    overlap: section.flag('overlap', false),
    redundantExperts: section.count('redundantExperts', 0, { min: 0, max: 1024 }),
    ...(drafts
      ? {
          speculation: {
            draftTokens: drafts.count('draftTokens', 1, { min: 1, max: 16 }),
            acceptance: drafts.quantity('acceptance', 'ratio') ?? 0.8,
          },
        }
      : {}),
    ...(measured ? { measured: { prefillPerNode: rate('prefill'), decodePerNode: rate('decode') } } : {}),
    tokensPerSecondPerUser: section.quantity('interactivity', 'speed') ?? 20,
    prefillBatchTokens: section.quantity('prefillBatch', 'tokens') ?? 16_384,
    utilisation: share('utilisation', 0.7),
    availability: Math.max(0.5, share('availability', 0.99)),
    assurance: Math.min(0.999_999, share('assurance', 0.999)),
    spares: share('spares', 0),
    wholeUnits: section.flag('wholeUnits', true),
    scaling: section.choice('scaling', ['hourly', 'peak', 'mean'], 'peak'),
    efficiency: 1,
  };
}

function parsePrice(top: Section): { book: PriceBook; startMs: number; days: number } {
  const section = top.section('price', ['book', 'hit', 'miss', 'output', 'date', 'days']);
  if (!section)
    throw new BadInput(
      'price',
      'is missing; write book: with the id of a price book, or hit:, miss: and output:',
      '缺失；请用 book: 写价目表 id，或写 hit:、miss: 和 output:',
    );
  const days = section.count('days', 30, { min: 1, max: 366 });
  const id = section.text('book');
  const date = section.text('date');
  if (id !== undefined) {
    section.without(['hit', 'miss', 'output'], { en: 'beside price.book', zh: '写了 price.book 时' });
    const book = findPriceBook('price.book', id);
    return { book, startMs: parseDate('price.date', date ?? book.date), days };
  }
  const output = section.money('output', 'tokenPrice');
  if (!output)
    throw new BadInput(
      'price.output',
      'is missing; write a price per tokens, such as "16 CNY/Mtok"',
      '缺失；请写按词元计的单价，例如“16 CNY/Mtok”',
    );
  const other = (key: string): bigint => {
    const money = section.money(key, 'tokenPrice');
    if (money && money.currency !== output.currency)
      throw new BadInput(
        `price.${key}`,
        `is in ${money.currency}, the output price in ${output.currency}; write both in one currency`,
        `使用 ${money.currency}，而输出价使用 ${output.currency}；请统一币种`,
      );
    return money?.nano ?? 0n;
  };
  const miss = other('miss');
  const base = { hitNano: section.has('hit') ? other('hit') : miss, missNano: miss, outputNano: output.nano };
  const book = ownBook(base, output.currency, date ?? '');
  return { book, startMs: parseDate('price.date', date ?? '2026-01-01'), days };
}

function parseCosts(top: Section, hardware: Hardware, currency: string): Costs {
  const section = top.section('cost', ['gpu', 'other', 'fixed']) ?? openSection('cost', {}, ['gpu', 'other', 'fixed']);
  const listed = hardware.prices[0];
  const own = section.money('gpu', 'gpuPrice');
  if (!own && !listed)
    throw new BadInput(
      'cost.gpu',
      'is missing; write the price of one GPU, such as "2 USD/h"',
      '缺失；请写单卡价格，例如“2 USD/h”',
    );
  const gpuHour: Money = own ?? parseMoney('hardware.price', listed?.price ?? '', 'gpuPrice');
  return {
    gpuHour,
    gpuTrust: own ? 'vendor' : (listed?.trust ?? 'assumed'),
    otherShare: section.quantity('other', 'ratio') ?? 0,
    fixedMonth: section.money('fixed', 'money') ?? { nano: 0n, currency },
  };
}

/**
 * Turns a scenario document (parsed YAML or JSON) into a {@link Scenario}. Strict: unknown fields, wrong units, negative or
 * infinite numbers throw {@link BadInput} with one sentence that names the field and what would be right.
 */
export function parseScenario(document: unknown, readJson: ReadJson): Scenario {
  const top = openSection('', document, TOP);
  const model = parseModel(top, readJson);
  const hardware = parseHardware(top);
  const serving = parseServing(top, model);
  const { book, days, startMs } = parsePrice(top);
  const demand = parseDemand(top, serving.tokensPerSecondPerUser);
  const rate = top.text('exchange');
  const currency = top.text('currency') ?? book.currency;
  if (!CURRENCIES.has(currency))
    throw new BadInput(
      'currency',
      `"${currency}" is none of ${[...CURRENCIES].join(', ')}`,
      `“${currency}”不在 ${[...CURRENCIES].join('、')} 之中`,
    );
  return {
    name: top.text('name') ?? `${model.name} on ${hardware.name}`,
    model,
    hardware,
    engine: ENGINE,
    serving,
    demand,
    price: book,
    calendar: averageDay(book, startMs, { days, utcOffsetHours: demand.utcOffsetHours }),
    priceFactor: 1,
    startMs,
    days,
    costs: parseCosts(top, hardware, currency),
    currency,
    ...(rate === undefined ? {} : { exchange: parseExchangeRate('exchange', rate) }),
  };
}
