/**
 * Published figures that the cases reproduce. Nothing here was adjusted to fit; where a constant of the planner was calibrated on
 * one of these rows, data/engine.ts says so and the row's source repeats it.
 */
const DAY_6 = 'deepseek-ai/open-infra-index, 202502OpenSourceWeek/day_6 (2025-03-01)';

export const DEEPSEEK_DAY = {
  source: DAY_6,
  outputTokens: 168e9,
  inputTokens: 608e9,
  hitTokens: 342e9,
  nodesMean: 226.75,
  nodesPeak: 278,
  gpusPerNode: 8,
  costUsd: 87_072,
  revenueUsd: 562_027,
  ratioPct: 545,
  unitGpus: 176,
} as const;

/** The same day at other price lists, arithmetic on the rounded token counts: [price book or band, revenue in thousand USD, ratio in percent]. */
export const REPRICED: readonly {
  readonly name: string;
  readonly book: string;
  readonly band?: string;
  readonly revenueK: number;
  readonly ratioPct?: number;
}[] = [
  { name: 'r1_standard', book: 'deepseek-r1-2025-02-09', revenueK: 562, ratioPct: 546 },
  { name: 'v3', book: 'deepseek-v3-2025-02-09', revenueK: 281, ratioPct: 222 },
  { name: 'r1_v3_off_peak', book: 'deepseek-night-2025-02-26', revenueK: 140, ratioPct: 61 },
  { name: 'v3.1', book: 'deepseek-v3.1-2025-09-05', revenueK: 455, ratioPct: 423 },
  { name: 'v3.2', book: 'deepseek-v3.2-2025-09-29', revenueK: 155, ratioPct: 78 },
  { name: 'v4_flash_flat', book: 'deepseek-v4-flash-2026-04-26', revenueK: 85.2, ratioPct: -2 },
  { name: 'v4.1_flash_off_peak', book: 'deepseek-v4.1-flash-2026-09-10', revenueK: 142, ratioPct: 63 },
  { name: 'v4.1_flash_peak', book: 'deepseek-v4.1-flash-2026-09-10', band: 'peak', revenueK: 283, ratioPct: 226 },
  { name: 'v4_pro_off_peak', book: 'deepseek-v4-pro-2026-08-16', revenueK: 516 },
  { name: 'v4_pro_peak', book: 'deepseek-v4-pro-2026-08-16', band: 'peak', revenueK: 1030 },
];

export const CLAIM = {
  source:
    'You Yang on Weibo, 2025-02-09, in China Entrepreneur (dignews.cc/p/923d4fc5fa80f0e3.html, yingmi8.cn/xwzx/403590.html)',
  words: 'China Entrepreneur and Sina Tech (laitimes.com/article/7b517_7rh9j.html)',
  fourThousand: '"4,000 machines of 8 × H800": in no source reached',
  outputPerDay: 100e9,
  priceCny: 16,
  revenueM: 45,
  machinesM: 450,
  resultM: -400,
  amdMachinesM: 270,
  amdResultM: -200,
  overProvision: 5,
  machines: 4000,
  cnyPerUsd: 7.2,
} as const;

export const WECHAT = {
  measured: 'Ant and SGLang, lmsys.org 2025-09-26: 8 × H20-96G, 4,096 tokens in',
  claim: 'one weak secondary source (91haoming.cn/news/show-312501)',
  prefillPerNode: 16_500,
  decodePerNode: 5700,
  speed: 20,
} as const;

export interface ThroughputRow {
  readonly name: string;
  readonly model: string;
  readonly hardware: string;
  readonly weights: 'bf16' | 'fp8';
  readonly phase: 'prefill' | 'decode';
  readonly gpus: number;
  readonly overlap: boolean;
  readonly batch: number;
  readonly context: number;
  readonly measured: number;
  /** InferSim's own error on the row, percent: the tolerance. */
  readonly statedPct: number;
  readonly calibrated?: string;
}

// Setups as in InferSim's example/ scripts: prompts of 4,096 tokens; DeepSeek-V3 with DeepEP and two batches in flight (16K tokens or
// 128 sequences per GPU, output 1,786), Qwen3 with 16K tokens per batch, or 64 and 100 sequences per GPU, output 2,048; cache in BF16.
export const INFERSIM_SOURCE =
  'alibaba/InferSim README; DeepSeek rows measured by deepseek-ai/profile-data, Qwen3 rows with SGLang';
export const INFERSIM: readonly ThroughputRow[] = [
  {
    name: 'deepseek_v3_h800_prefill',
    model: 'deepseek-v3',
    hardware: 'h800',
    weights: 'fp8',
    phase: 'prefill',
    gpus: 32,
    overlap: true,
    batch: 16_384,
    context: 4096,
    measured: 7839,
    statedPct: 15.2,
  },
  {
    name: 'deepseek_v3_h800_decode',
    model: 'deepseek-v3',
    hardware: 'h800',
    weights: 'fp8',
    phase: 'decode',
    gpus: 128,
    overlap: true,
    batch: 128,
    context: 4989,
    measured: 2324,
    statedPct: 15.1,
  },
  {
    name: 'qwen3_30b_h20_prefill',
    model: 'qwen3-30b-a3b',
    hardware: 'h20',
    weights: 'bf16',
    phase: 'prefill',
    gpus: 1,
    overlap: false,
    batch: 16_384,
    context: 4096,
    measured: 16_594,
    statedPct: 4.6,
  },
  {
    name: 'qwen3_30b_h20_decode',
    model: 'qwen3-30b-a3b',
    hardware: 'h20',
    weights: 'bf16',
    phase: 'decode',
    gpus: 4,
    overlap: false,
    batch: 100,
    context: 5120,
    measured: 2749,
    statedPct: 4.3,
    calibrated: 'calibrated expertImbalance',
  },
  {
    name: 'qwen3_8b_h20_prefill',
    model: 'qwen3-8b',
    hardware: 'h20',
    weights: 'fp8',
    phase: 'prefill',
    gpus: 1,
    overlap: false,
    batch: 16_384,
    context: 4096,
    measured: 15_061,
    statedPct: 8.4,
  },
  {
    name: 'qwen3_8b_h20_decode',
    model: 'qwen3-8b',
    hardware: 'h20',
    weights: 'fp8',
    phase: 'decode',
    gpus: 1,
    overlap: false,
    batch: 64,
    context: 5120,
    measured: 2682,
    statedPct: 3.8,
    calibrated: 'calibrated decodeFixedMs',
  },
];

export interface CostRow {
  readonly name: string;
  readonly usdPerHour: number;
  /** `implied`: the rate was worked out of the rows themselves, so that they check the formula less. */
  readonly rate: 'published' | 'implied';
  readonly source: string;
  /** tokens/s/user, tokens/s/GPU, USD per million tokens. */
  readonly points: readonly (readonly [interactivity: number, throughput: number, usdPerMtok: number])[];
}

const SITE = 'SemiAnalysis InferenceX, inferencex.semianalysis.com/compare, DeepSeek-R1 FP8';
export const INFERENCEX: readonly CostRow[] = [
  {
    name: 'b200_8k1k',
    usdPerHour: 1.95,
    rate: 'published',
    source: SITE,
    points: [
      [23, 5857, 0.092],
      [32, 5515, 0.099],
      [42, 5220, 0.105],
      [75, 2558, 0.226],
      [120, 1110, 0.488],
      [164, 751, 0.721],
    ],
  },
  {
    name: 'mi300x_8k1k',
    usdPerHour: 1.12,
    rate: 'published',
    source: SITE,
    points: [
      [23, 725, 0.429],
      [32, 601, 0.51],
      [42, 406, 0.75],
    ],
  },
  {
    name: 'mi325x_8k1k',
    usdPerHour: 1.28,
    rate: 'implied',
    source: SITE,
    points: [
      [25, 854, 0.416],
      [35, 677, 0.518],
      [44, 457, 0.769],
    ],
  },
  {
    name: 'gb200_8k1k',
    usdPerHour: 2.21,
    rate: 'implied',
    source: SITE,
    points: [
      [75, 5790, 0.106],
      [120, 3988, 0.154],
      [164, 818, 0.809],
    ],
  },
  {
    name: 'b200_1k1k',
    usdPerHour: 1.95,
    rate: 'published',
    source: SITE,
    points: [
      [42, 4792, 0.113],
      [71, 1020, 0.544],
      [100, 497, 1.088],
    ],
  },
  {
    name: 'h100_1k1k',
    usdPerHour: 1.31,
    rate: 'implied',
    source: SITE,
    points: [
      [42, 266, 1.365],
      [71, 73, 4.864],
      [100, 23, 15.69],
    ],
  },
  {
    name: 'gb300_nvidia',
    usdPerHour: 2.65,
    rate: 'published',
    source: 'NVIDIA blog through theblockbeats (FP4 with MTP)',
    points: [[0, 6000, 0.12]],
  },
  {
    name: 'h200_nvidia',
    usdPerHour: 1.41,
    rate: 'published',
    source: 'NVIDIA blog through theblockbeats',
    points: [[0, 90, 4.2]],
  },
];

export const MOONCAKE = {
  source: "Mooncake, FAST'25: thousands of nodes, over 100 billion tokens daily, 8 × A800 or H800",
  trace: 'kvcache-ai/Mooncake, FAST25-release/traces/conversation_trace.jsonl',
  tokensPerDay: 100e9,
  nodes: 1000,
  /** Summary of the conversation trace by `summarizeTrace`; a test recomputes it where the trace is at hand. */
  requests: 12_031,
  seconds: 3536.999,
  inputTokensMean: 12_035.061_341_534_369,
  outputTokensMean: 342.618_901_171_972_4,
  reusableShare: 0.366_412_478_336_221_8,
  lengthVariation: 1.723_600_118_225_821_4,
} as const;
