import { type CaseResult, type CaseRow, fill, row } from '../case-result.ts';
import { DEEPSEEK_DAY as DAY, REPRICED } from '../data/case-facts.ts';
import { PUBLISHED_ROWS } from '../data/deepseek-rows.ts';
import { planFleet } from '../fleet.ts';
import { findPriceBook } from '../lookup.ts';
import { hoursCost, toMajor } from '../money.ts';
import { charge, type TokenCount } from '../price-book.ts';
import { gpusOf } from '../replica-shape.ts';
import { costPerMtok } from '../unit-cost.ts';
import { shippedScenario } from './load.ts';

const TOKENS: TokenCount = { hit: DAY.hitTokens, miss: DAY.inputTokens - DAY.hitTokens, output: DAY.outputTokens };
const GPU_HOUR_NANO = 2_000_000_000n;
const ratioPct = (revenue: number, cost: number): number => (revenue / cost - 1) * 100;

function revenueAt(bookId: string, band?: string): number {
  const book = findPriceBook('price.book', bookId);
  const rates =
    band === undefined ? book.base : (book.bands.find(candidate => candidate.name === band)?.rates ?? book.base);
  return toMajor(charge(rates, TOKENS, book));
}

function publishedRows(): readonly CaseRow[] {
  const scenario = shippedScenario('deepseek-day');
  const plan = planFleet(scenario);
  const cost = toMajor(hoursCost(DAY.nodesMean * DAY.gpusPerNode * 24, GPU_HOUR_NANO));
  const peakCost = toMajor(hoursCost(DAY.nodesPeak * DAY.gpusPerNode * 24, GPU_HOUR_NANO));
  const revenue = toMajor(plan.revenueDay.nano);
  const node = GPU_HOUR_NANO * BigInt(DAY.gpusPerNode);
  return fill(PUBLISHED_ROWS, {
    nodes: plan.nodesMean,
    cost,
    revenue,
    cost_profit_ratio: ratioPct(revenue, cost),
    ratio_if_peak_rented_all_day: ratioPct(revenue, peakCost),
    minimum_unit: gpusOf(scenario.serving.prefill) + gpusOf(scenario.serving.decode),
    cost_per_mtok_input: toMajor(costPerMtok(node, 73_700)),
    cost_per_mtok_output: toMajor(costPerMtok(node, 14_800)),
    cost_per_mtok_all_in: cost / (DAY.outputTokens / 1e6),
    streams_at_21: plan.streamsMean,
  });
}

function repricedRows(): readonly CaseRow[] {
  const cost = toMajor(hoursCost(DAY.nodesMean * DAY.gpusPerNode * 24, GPU_HOUR_NANO));
  return REPRICED.flatMap(({ name, book, band, revenueK, ratioPct: expectedRatio }) => {
    const revenue = revenueAt(book, band);
    const priced = findPriceBook('price.book', book);
    const source = `${priced.source} (${priced.date}), same tokens`;
    const label = priced.name + (band ? ` · ${band}` : '');
    const money = row({
      name: `repriced_${name}`,
      label: { en: `Revenue: ${label}`, zh: `收入：${label}` },
      unit: 'kUSD/day',
      expected: revenueK,
      computed: revenue / 1000,
      tolerancePct: 0.5,
      source,
      status: 'derived',
    });
    if (expectedRatio === undefined) return [money];
    const ratio = row({
      name: `ratio_${name}`,
      label: { en: `Profit over cost: ${label}`, zh: `成本利润率：${label}` },
      unit: '%',
      expected: expectedRatio,
      computed: ratioPct(revenue, cost),
      tolerancePct: expectedRatio < 0 ? 15 : 1,
      source,
      status: 'derived',
    });
    return [money, ratio];
  });
}

/** Calendar prices on the same day, demand spread evenly: what hours alone do to revenue. */
function calendarRows(): readonly CaseRow[] {
  const night = planFleet(
    shippedScenario('deepseek-day', { price: { book: 'deepseek-r1-2025-02-26', date: '2025-02-27', days: 1 } }),
  );
  // 2026-09-11 is a Friday, 2026-09-12 a Saturday, 2026-10-01 a holiday: seven peak hours, none, none.
  const on = (date: string) =>
    toMajor(
      planFleet(shippedScenario('deepseek-day', { price: { book: 'deepseek-v4.1-flash-2026-09-10', date, days: 1 } }))
        .revenueDay.nano,
    ) / 1000;
  const off = revenueAt('deepseek-v4.1-flash-2026-09-10') / 1000;
  const peak = revenueAt('deepseek-v4.1-flash-2026-09-10', 'peak') / 1000;
  const source = 'price calendar applied to evenly spread demand';
  const day = (name: string, en: string, zh: string, computed: number, expected: number): CaseRow =>
    row({
      name,
      label: { en, zh },
      unit: 'kUSD/day',
      expected,
      computed,
      tolerancePct: 0.1,
      source,
      status: 'derived',
    });
  return [
    day(
      'calendar_r1_night',
      'R1 with eight hours of night discount',
      'R1，含八小时夜间优惠',
      toMajor(night.revenueDay.nano) / 1000,
      (16 * revenueAt('deepseek-r1-2025-02-09') + 8 * revenueAt('deepseek-night-2025-02-26')) / 24_000,
    ),
    day(
      'calendar_v4.1_workday',
      'V4.1 Flash on a workday',
      'V4.1 Flash，工作日',
      on('2026-09-11'),
      (7 * peak + 17 * off) / 24,
    ),
    day('calendar_v4.1_weekend', 'V4.1 Flash on a Saturday', 'V4.1 Flash，周六', on('2026-09-12'), off),
    day('calendar_v4.1_holiday', 'V4.1 Flash on National Day', 'V4.1 Flash，国庆节', on('2026-10-01'), off),
  ];
}

/** DeepSeek's own figures for 2025-02-27/28, its re-pricings, and its price calendars. */
export function deepseekDay(): CaseResult {
  return {
    id: 'deepseek-day',
    title: { en: "DeepSeek's published day", zh: 'DeepSeek 公布的一天' },
    rows: [...publishedRows(), ...repricedRows(), ...calendarRows()],
    findings: [
      {
        en: 'The published throughputs, tokens, nodes, cost and revenue agree with one another to 0.1 %.',
        zh: '公布的吞吐、词元量、节点数、成本与收入彼此吻合，误差在 0.1% 以内。',
      },
      {
        en: 'The 545 % prices every token as R1; the source says that V3 is cheaper, web and app are free, and nights are discounted.',
        zh: '545% 是把所有词元都按 R1 收费的理论值；原文说明 V3 更便宜、网页和 App 免费、夜间有折扣。',
      },
      {
        en: 'At the flat V4 Flash price of April 2026, the same fleet of February 2025 would lose 2 %.',
        zh: '若按 2026 年 4 月 V4 Flash 的统一价格，2025 年 2 月的同一批机器会亏损 2%。',
      },
    ],
  };
}
