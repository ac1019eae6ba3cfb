/** Share of the peak a kernel reaches at `m` rows: max · m / (m + half). Saturates as the tiles fill. */
export interface EfficiencyCurve {
  readonly max: number;
  readonly half: number;
}

export interface KernelEfficiency {
  readonly gemm: EfficiencyCurve;
  /** By tokens per expert. */
  readonly groupedGemm: EfficiencyCurve;
  /** By length of the prompt. */
  readonly prefillAttention: EfficiencyCurve;
  /** Share of peak compute that decode attention reaches where it is bound by compute (MLA). */
  readonly decodeAttention: number;
  /** Share of the memory bandwidth reached by weights, and by the cache. */
  readonly memory: number;
  readonly cacheRead: number;
  /** Where the figures come from; "carried over" where they were not measured on this chip. */
  readonly source: string;
}

/** How far a figure may be trusted: `vendor` data sheet, `press` or a third party's copy, `implied` by a cited figure, `assumed` here. */
export type Trust = 'vendor' | 'press' | 'implied' | 'assumed';

export interface RentalPrice {
  /** Such as "2 USD/h", per GPU. */
  readonly price: string;
  readonly trust: Trust;
  readonly source: string;
  readonly date: string;
}

/** One accelerator. FLOPS are dense, bandwidths are one way and per accelerator. */
export interface Hardware {
  readonly id: string;
  readonly name: string;
  readonly bf16Tflops: number;
  /** 8-bit matrix peak (FP8, or INT8 where that is all there is); undefined where 8-bit weights run at the BF16 rate. */
  readonly fp8Tflops?: number;
  readonly fp4Tflops?: number;
  readonly memoryGb: number;
  readonly bandwidthGbps: number;
  /** NVLink, Infinity Fabric, UB, PCIe … between the accelerators of one domain. */
  readonly scaleUpGbps: number;
  readonly scaleUpDomain: number;
  /** InfiniBand or RoCE between domains. */
  readonly scaleOutGbps: number;
  readonly perNode: number;
  readonly watts: number;
  readonly prices: readonly RentalPrice[];
  readonly kernels: KernelEfficiency;
  /** Half width of the error band of throughput and cost, in percent. */
  readonly errorPct: number;
  readonly trust: Trust;
  readonly source: string;
  readonly date: string;
}

export function efficiencyAt(curve: EfficiencyCurve, rows: number): number {
  return (curve.max * rows) / (rows + curve.half);
}
