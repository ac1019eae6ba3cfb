import type { Expectation } from '../case-result.ts';
import { MOONCAKE, WECHAT } from './case-facts.ts';

// What the rows of the cases mooncake and wechat-h20 are held against.

const derived = { source: `arithmetic on ${MOONCAKE.source}`, status: 'derived' } as const;

export const MOONCAKE_ROWS = {
  tokens_per_second_per_node: {
    label: {
      en: 'Tokens in and out per node, at most (1,000 nodes)',
      zh: '单节点输入加输出吞吐上限（按 1000 节点）',
    },
    unit: 'tok/s',
    expected: 1157,
    tolerancePct: 0.1,
    ...derived,
  },
  deepseek_tokens_per_second_per_node: {
    label: { en: "The same of DeepSeek's day", zh: 'DeepSeek 同口径吞吐' },
    unit: 'tok/s',
    expected: 39_600,
    tolerancePct: 0.1,
    ...derived,
  },
  fleets_differ_by: {
    label: { en: 'Factor between two real fleets', zh: '两个真实机群之间的倍数' },
    unit: '×',
    expected: 34.2,
    tolerancePct: 0.5,
    ...derived,
  },
  trace_input_per_output: {
    label: { en: 'Input per output token in its trace', zh: '其轨迹中的输入/输出比' },
    unit: '×',
    expected: 35.13,
    tolerancePct: 0.1,
    source: MOONCAKE.trace,
    status: 'derived',
  },
  trace_reusable_share: {
    label: { en: 'Input that an unbounded cache would serve', zh: '无限缓存可命中的输入比例' },
    unit: '%',
    expected: 36.6,
    tolerancePct: 0.2,
    source: MOONCAKE.trace,
    status: 'derived',
  },
  nodes_by_roofline: {
    label: {
      en: 'Nodes for 100 Gtok a day: 70B shape, 8 × A800, the trace as mix',
      zh: '每天 1000 亿词元所需节点（70B 结构、8×A800、按轨迹构成）',
    },
    unit: 'nodes',
    expected: MOONCAKE.nodes,
    tolerancePct: 100,
    source: `${MOONCAKE.source}; model, load curve and head-room assumed`,
    status: 'unverified',
  },
} as const satisfies Readonly<Record<string, Expectation>>;

const measured = { source: WECHAT.measured, status: 'derived' } as const;

export const MEASURED_ROWS = {
  tokens_per_second_per_gpu: {
    label: { en: 'Output per H20, measured', zh: '单张 H20 输出吞吐（实测）' },
    unit: 'tok/s',
    expected: 712,
    tolerancePct: 0.2,
    ...measured,
  },
  streams_per_gpu: {
    label: { en: 'Streams per H20 at 20 tok/s', zh: '每张 H20 可支撑的并发（20 词元/秒）' },
    unit: 'streams',
    expected: 35.6,
    tolerancePct: 0.2,
    ...measured,
  },
} as const satisfies Readonly<Record<string, Expectation>>;

export const EVERYONE_ROWS = {
  // 50 M users over 35.625 streams a GPU.
  gpus_if_all_generate: {
    label: { en: 'H20 were all 50 M users generating at once', zh: '5000 万用户全部同时生成时所需 H20' },
    unit: 'GPUs',
    expected: 1_403_509,
    tolerancePct: 0.1,
    ...measured,
  },
} as const satisfies Readonly<Record<string, Expectation>>;
