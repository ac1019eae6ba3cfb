import type { Expectation } from '../case-result.ts';
import { DEEPSEEK_DAY as DAY } from './case-facts.ts';

// What the published rows of the case deepseek-day are held against.

const verified = { source: DAY.source, status: 'verified' } as const;
const derived = { source: `arithmetic on ${DAY.source}`, status: 'derived' } as const;

export const PUBLISHED_ROWS = {
  nodes: {
    label: { en: 'Nodes, mean, from tokens and throughput', zh: '平均节点数（由词元量与吞吐推出）' },
    unit: 'nodes',
    expected: DAY.nodesMean,
    tolerancePct: 1,
    ...verified,
  },
  cost: {
    label: { en: 'Cost of the day', zh: '当日成本' },
    unit: 'USD/day',
    expected: DAY.costUsd,
    tolerancePct: 0,
    ...verified,
  },
  revenue: {
    label: { en: 'Revenue at R1 prices', zh: '按 R1 价格计算的收入' },
    unit: 'USD/day',
    expected: DAY.revenueUsd,
    tolerancePct: 0.1,
    ...verified,
  },
  cost_profit_ratio: {
    label: { en: 'Profit over cost', zh: '成本利润率' },
    unit: '%',
    expected: DAY.ratioPct,
    tolerancePct: 0.2,
    ...verified,
  },
  ratio_if_peak_rented_all_day: {
    label: { en: 'Profit over cost, peak nodes all day', zh: '全天按峰值节点租用时的成本利润率' },
    unit: '%',
    expected: 426,
    tolerancePct: 0.5,
    ...derived,
  },
  minimum_unit: {
    label: { en: 'Smallest deployment unit', zh: '最小部署单元' },
    unit: 'GPUs',
    expected: DAY.unitGpus,
    tolerancePct: 0,
    ...verified,
  },
  cost_per_mtok_input: {
    label: { en: 'Prefill cost per million input tokens', zh: '每百万输入词元的预填充成本' },
    unit: 'USD/Mtok',
    expected: 0.0603,
    tolerancePct: 0.2,
    ...derived,
  },
  cost_per_mtok_output: {
    label: { en: 'Decode cost per million output tokens', zh: '每百万输出词元的解码成本' },
    unit: 'USD/Mtok',
    expected: 0.3,
    tolerancePct: 0.2,
    ...derived,
  },
  cost_per_mtok_all_in: {
    label: { en: 'All costs per million output tokens', zh: '每百万输出词元的全部成本' },
    unit: 'USD/Mtok',
    expected: 0.518,
    tolerancePct: 0.2,
    ...derived,
  },
  streams_at_21: {
    label: { en: 'Streams at once, 21 tok/s each', zh: '同时在生成的请求数（每路 21 词元/秒）' },
    unit: 'streams',
    expected: 92_500,
    tolerancePct: 5,
    ...derived,
  },
} as const satisfies Readonly<Record<string, Expectation>>;
