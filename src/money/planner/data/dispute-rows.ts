import type { Expectation } from '../case-result.ts';
import { CLAIM } from './case-facts.ts';

// What the rows of the cases r1-16-yuan and r1-16-yuan-amd are held against.

const claimed = { source: CLAIM.source, status: 'verified' } as const;
const derived = { source: 'arithmetic on cited figures', status: 'derived' } as const;
const doubtful = { source: CLAIM.fourThousand, status: 'unverified' } as const;

export const CLAIM_ROWS = {
  revenue_month_claimed: {
    label: { en: 'Revenue per month, as claimed', zh: '月收入（原说法）' },
    unit: 'MCNY/month',
    expected: CLAIM.revenueM,
    tolerancePct: 7,
    ...claimed,
  },
  revenue_month_exact: {
    label: { en: 'Revenue per month, the exact product', zh: '月收入（精确乘积）' },
    unit: 'MCNY/month',
    expected: 48,
    tolerancePct: 0.01,
    ...derived,
  },
  result_month: {
    label: { en: 'Result per month with machines of 450 M', zh: '月损益（机器 4.5 亿元）' },
    unit: 'MCNY/month',
    expected: CLAIM.resultM,
    tolerancePct: 2,
    ...claimed,
  },
} as const satisfies Readonly<Record<string, Expectation>>;

export const BREAK_EVEN_ROWS = {
  machine_month: {
    label: { en: 'Rent of one machine per month', zh: '单台机器月租' },
    unit: 'CNY/month',
    expected: 112_500,
    tolerancePct: 0.1,
    ...doubtful,
  },
  gpu_hour: {
    label: { en: 'Rent of one GPU per hour', zh: '单卡每小时租金' },
    unit: 'CNY/h',
    expected: 19.5,
    tolerancePct: 0.5,
    ...doubtful,
  },
  throughput_claimed: {
    label: { en: 'Output per machine in the claim', zh: '原说法中单机输出吞吐' },
    unit: 'tok/s',
    expected: 289,
    tolerancePct: 0.5,
    ...doubtful,
  },
  throughput_break_even: {
    label: { en: 'Output per machine that breaks even', zh: '单机盈亏平衡吞吐' },
    unit: 'tok/s',
    expected: 2713,
    tolerancePct: 0.1,
    ...doubtful,
  },
  throughput_deepseek: {
    label: { en: "DeepSeek's fleet, mean over all nodes", zh: 'DeepSeek 全部节点平均吞吐' },
    unit: 'tok/s',
    expected: 8575,
    tolerancePct: 0.1,
    ...derived,
  },
  utilisation_break_even: {
    label: { en: 'Share of that throughput that breaks even', zh: '盈亏平衡所需利用率（相对 DeepSeek 吞吐）' },
    unit: '%',
    expected: (2713 / 8575) * 100,
    tolerancePct: 0.2,
    ...doubtful,
  },
  utilisation_claimed: {
    label: { en: 'Share of that throughput in the claim', zh: '原说法隐含的利用率（相对 DeepSeek 吞吐）' },
    unit: '%',
    expected: 100 / 29.6,
    tolerancePct: 0.5,
    ...doubtful,
  },
  cost_month_at_deepseek: {
    label: { en: "Cost per month at DeepSeek's efficiency", zh: '按 DeepSeek 效率计算的月成本' },
    unit: 'MCNY/month',
    expected: 11.2,
    tolerancePct: 0.5,
    ...derived,
  },
  over_provision_output_only: {
    label: { en: 'Over-provisioning that breaks even, output revenue', zh: '盈亏平衡的冗余倍数（只计输出收入）' },
    unit: '×',
    expected: 4.29,
    tolerancePct: 0.5,
    ...derived,
  },
  over_provision_all: {
    label: { en: 'Over-provisioning that breaks even, all revenue', zh: '盈亏平衡的冗余倍数（含输入收入）' },
    unit: '×',
    expected: 6.53,
    tolerancePct: 0.5,
    ...derived,
  },
  result_at_five_output_only: {
    label: { en: 'Result at five-fold machines, output revenue', zh: '五倍机器时的月损益（只计输出收入）' },
    unit: 'MCNY/month',
    expected: -8,
    tolerancePct: 2,
    ...derived,
  },
  result_at_five_all: {
    label: { en: 'Result at five-fold machines, all revenue', zh: '五倍机器时的月损益（含输入收入）' },
    unit: 'MCNY/month',
    expected: 17,
    tolerancePct: 2,
    ...derived,
  },
} as const satisfies Readonly<Record<string, Expectation>>;

export const FACTOR_ROWS = {
  factor_total: {
    label: { en: 'Claimed cost over cost at DeepSeek efficiency', zh: '原说法成本与 DeepSeek 效率成本之比' },
    unit: '×',
    expected: 40.2,
    tolerancePct: 0.5,
    ...derived,
  },
  factor_rent: {
    label: { en: '… of which rent of a machine', zh: '……其中：机器租金' },
    unit: '×',
    expected: 1.356,
    tolerancePct: 0.2,
    ...doubtful,
  },
  factor_head_room: {
    label: {
      en: '… of which head-room in his words ("5 × the theoretical machines")',
      zh: '……其中：原话“理论值 5 倍的机器”',
    },
    unit: '×',
    expected: 5,
    tolerancePct: 0,
    source: CLAIM.words,
    status: 'verified',
  },
  factor_speed: {
    label: { en: '… of which the rest: speed of one machine', zh: '……其余：单机速度' },
    unit: '×',
    expected: 5.93,
    tolerancePct: 0.5,
    ...doubtful,
  },
} as const satisfies Readonly<Record<string, Expectation>>;

export const AMD_ROWS = {
  result_month: {
    label: {
      en: 'Result per month with machines of 270 M (claimed: a loss above 200 M)',
      zh: '月损益（机器 2.7 亿元；原说法：亏损超过 2 亿元）',
    },
    unit: 'MCNY/month',
    expected: CLAIM.amdResultM,
    tolerancePct: 15,
    ...claimed,
  },
  result_month_as_claimed: {
    label: { en: 'Result from the claimed revenue', zh: '按原说法收入计算的月损益' },
    unit: 'MCNY/month',
    expected: CLAIM.revenueM - CLAIM.amdMachinesM,
    tolerancePct: 2,
    ...derived,
  },
  utilisation_rise_to_break_even: {
    label: { en: 'Rise of utilisation that breaks even', zh: '盈亏平衡所需的利用率提升倍数' },
    unit: '×',
    expected: 5.625,
    tolerancePct: 0.1,
    ...derived,
  },
  throughput_break_even: {
    label: { en: 'Output per machine that breaks even, were they 4,000', zh: '若为 4000 台，单机盈亏平衡吞吐' },
    unit: 'tok/s',
    expected: 1628,
    tolerancePct: 0.1,
    ...doubtful,
  },
  utilisation_break_even: {
    label: { en: "The same as a share of DeepSeek's H800 throughput", zh: '折合 DeepSeek H800 吞吐的比例' },
    unit: '%',
    expected: 19,
    tolerancePct: 0.5,
    ...doubtful,
  },
  over_provision_break_even: {
    label: {
      en: 'Over-provisioning that the machines of 270 M allow over DeepSeek efficiency',
      zh: '2.7 亿元相当于 DeepSeek 效率成本的倍数',
    },
    unit: '×',
    expected: 24.1,
    tolerancePct: 0.5,
    ...derived,
  },
} as const satisfies Readonly<Record<string, Expectation>>;
