import type { EfficiencyCurve, KernelEfficiency } from '../hardware.ts';

// Fitted by eye to the kernel benchmarks that the InferSim project publishes (github.com/alibaba/InferSim, bench_data/, read 2026-11-24):
// DeepGEMM dense and grouped GEMM, FlashAttention-3 prefill, FlashInfer decode, FlashMLA. Fitted to kernel tables. Two readings (the H800 GEMM plateau, the traffic of small kernels) were settled after an end-to-end row had been seen.
// Examples, measured → fitted share of peak. H20 grouped GEMM at 16, 64, 128, 1024 tokens per expert: .16 .44 .53 .82 → .18 .45 .59 .82.
// H800 grouped GEMM at 256, 512, 1024, 4096: .33-.43 .47-.60 .56-.60 .65 → .37 .47 .55 .63. H20 dense GEMM at 64, 256, 16384: .65-.80 .86 .94 → .65 .85 .95.
const SOURCE = 'fit to InferSim bench_data (alibaba/InferSim, 2026-11-24)';

export const H20_KERNELS: KernelEfficiency = {
  gemm: { max: 0.95, half: 30 },
  groupedGemm: { max: 0.87, half: 60 },
  prefillAttention: { max: 0.97, half: 650 },
  decodeAttention: 0.75,
  memory: 0.8,
  // 32 query / 8 cache heads, batch 64, 5,000 tokens: 1.311 GB in 444.8 µs = 2.95 TB/s of 4.0.
  cacheRead: 0.737,
  source: SOURCE,
};

export const H800_KERNELS: KernelEfficiency = {
  // 8,192 rows: .53 to .74 by shape, .70 weighted by DeepSeek-V3's own shapes.
  gemm: { max: 0.72, half: 200 },
  groupedGemm: { max: 0.66, half: 200 },
  prefillAttention: { max: 0.64, half: 150 },
  // FlashMLA, 128 heads, 4,096 tokens: .476 of peak at batch 64, .506 at 128.
  decodeAttention: 0.49,
  memory: 0.8,
  cacheRead: 0.8,
  source: SOURCE,
};

const H800_RIDGE = 989 / 3350;

/**
 * For chips without a kernel table: the H800's curves, with the rows at which tiles fill scaled by the chip's ridge, its compute
 * per bandwidth. The H20 checks the rule: its ridge is an eighth of the H800's, the rule gives 25 rows, its table 30.
 * `maxScale` lowers the plateau where a maker's kernels are known to reach less.
 */
export function carriedOver(bf16Tflops: number, bandwidthGbps: number, maxScale = 1): KernelEfficiency {
  const ridge = bf16Tflops / bandwidthGbps / H800_RIDGE;
  const scale = (curve: EfficiencyCurve): EfficiencyCurve => ({ max: curve.max * maxScale, half: curve.half * ridge });
  return {
    gemm: scale(H800_KERNELS.gemm),
    groupedGemm: scale(H800_KERNELS.groupedGemm),
    prefillAttention: { max: H800_KERNELS.prefillAttention.max * maxScale, half: H800_KERNELS.prefillAttention.half },
    decodeAttention: H800_KERNELS.decodeAttention * maxScale,
    memory: H800_KERNELS.memory,
    cacheRead: H800_KERNELS.cacheRead,
    source: `carried over from the H800, not measured (× ${maxScale} of its efficiency)`,
  };
}
