import type { FleetPlan } from '../fleet.ts';
import { formatPrice } from '../quantity.ts';
import type { Scenario } from '../scenario.ts';
import { citation, formatMoney, formatNumber, formatPercent, formatSeconds, type Language, say } from './language.ts';
import { WORDS, type WordKey } from './words.ts';

export interface Metric {
  readonly id: string;
  readonly label: string;
  readonly value: string;
}

const LIMITS = { memory: 'limitMemory', speed: 'limitSpeed', measured: 'limitMeasured' } as const;

/** A price book by name and date; a scenario's own prices by their figures. */
function priceText({ price }: Scenario, lang: Language): string {
  if (price.id !== 'custom') return `${price.name} (${price.date})`;
  const { hitNano, missNano, outputNano } = price.base;
  const figures = [hitNano, missNano, outputNano].map(nano => formatNumber(Number(nano) / 1e9, lang)).join(' · ');
  return `${figures} ${price.currency}/Mtok · ${say(WORDS.ownPrice, lang)}`;
}

/** The answer of one scenario as labelled values, in the order in which people ask. */
export function fleetMetrics(scenario: Scenario, plan: FleetPlan, lang: Language): readonly Metric[] {
  const number = (value: number) => formatNumber(value, lang);
  const { point, ttftSeconds: ttft } = plan;
  const metric = (id: WordKey, value: string): Metric => ({ id, label: say(WORDS[id], lang), value });
  const trust = scenario.costs.gpuTrust;
  const doubt =
    trust === 'assumed'
      ? ` (${say(WORDS.assumedPrice, lang)})`
      : trust === 'implied'
        ? ` (${say(WORDS.impliedPrice, lang)})`
        : '';
  const batch =
    point.batchPerRank === undefined
      ? []
      : [metric('batch', `${number(point.batchPerRank)} · ${say(WORDS[LIMITS[point.limit]], lang)}`)];
  const profit = plan.profitDay.nano;
  const band = plan.profitBand;
  return [
    metric('model', `${scenario.model.name} · ${scenario.serving.weights.toUpperCase()}`),
    metric('hardware', scenario.hardware.name),
    metric('serving', say(WORDS[scenario.serving.mode], lang)),
    metric('hardwareBand', point.errorPct === 0 ? say(WORDS.limitMeasured, lang) : `±${point.errorPct}%`),
    metric('nodesMean', number(plan.nodesMean)),
    metric('nodesPeak', number(plan.nodesPeak)),
    metric('nodesRented', `${number(plan.nodesRented)} (${number(plan.gpusRented)} GPU)`),
    metric('streams', number(plan.streamsMean)),
    metric('speed', `${number(point.tokensPerSecondPerUser)} tok/s`),
    metric('tpot', `${number(plan.tpotMs)} ms`),
    ...batch,
    ...(scenario.serving.mode === 'disaggregated'
      ? [
          metric(
            'prefillUnit',
            `${number(point.prefillPerUnit)} tok/s · ${number(point.prefillUnitNodes * scenario.hardware.perNode)} GPU`,
          ),
        ]
      : []),
    metric(
      'decodeUnit',
      `${number(point.decodePerUnit)} tok/s · ${number(point.decodeUnitNodes * scenario.hardware.perNode)} GPU`,
    ),
    metric(
      'ttft',
      [ttft.p50, ttft.p90, ttft.p99].every(Number.isFinite)
        ? [ttft.p50, ttft.p90, ttft.p99].map(value => formatSeconds(value, lang)).join(' · ')
        : formatSeconds(Number.POSITIVE_INFINITY, lang),
    ),
    metric('price', priceText(scenario, lang)),
    metric('gpuPrice', formatPrice(scenario.costs.gpuHour, 'gpuPrice') + doubt),
    metric('cost', formatMoney(plan.costDay.nano, plan.costDay.currency, lang)),
    metric('costPerMtok', formatMoney(plan.costPerMtokOutput.nano, plan.costPerMtokOutput.currency, lang)),
    metric('revenue', formatMoney(plan.revenueDay.nano, plan.revenueDay.currency, lang)),
    metric('profit', formatMoney(profit, plan.profitDay.currency, lang)),
    metric('profitMonth', formatMoney(profit * 30n, plan.profitDay.currency, lang)),
    metric('profitOverCost', formatPercent(plan.profitOverCost, lang)),
    metric('profitOverRevenue', formatPercent(plan.profitOverRevenue, lang)),
    ...(band.low === band.high ? [] : [metric('band', `${number(band.low)} … ${number(band.high)}`)]),
  ];
}

/** What in a scenario rests on figures that nobody published or measured. */
export function doubts(scenario: Scenario, lang: Language): readonly string[] {
  const { hardware, model, price } = scenario;
  const zh = lang === 'zh';
  const lines = [
    zh
      ? `模型结构：${citation(model.source, lang)}（${model.date || '无日期'}）`
      : `Model: ${citation(model.source, lang)} (${model.date || 'no date'})`,
    zh
      ? `硬件：${citation(hardware.source, lang)}（${hardware.date || '无日期'}）；核函数效率：${citation(hardware.kernels.source, lang)}；误差带 ±${hardware.errorPct}%`
      : `Hardware: ${citation(hardware.source, lang)} (${hardware.date || 'no date'}); kernels: ${citation(hardware.kernels.source, lang)}; band ±${hardware.errorPct} %`,
    zh
      ? `售价：${citation(price.source, lang)}（${price.date || '无日期'}）`
      : `Prices: ${citation(price.source, lang)} (${price.date || 'no date'})`,
  ];
  if (scenario.costs.gpuTrust === 'assumed')
    lines.push(
      zh
        ? 'GPU 单价为假定值，没有公开出处，请换成自己的价格。'
        : 'The GPU price is assumed, with no cited source: put your own.',
    );
  if (price.trust !== 'vendor')
    lines.push(
      zh
        ? '售价来自媒体或方案自填，未经供应商文档核实。'
        : 'The selling price comes from the press or from the scenario, not from the vendor’s own page.',
    );
  if (hardware.trust !== 'vendor')
    lines.push(
      zh
        ? '硬件参数未能与官方数据手册核对。'
        : 'The hardware’s figures could not be checked against the maker’s data sheet.',
    );
  return lines;
}
