/** What a serving engine adds to the kernels. All times in the unit of the name. */
export interface EngineCosts {
  readonly prefillFixedMs: number;
  readonly decodeFixedMs: number;
  /** Launch and gap of one small kernel inside a captured graph. */
  readonly kernelUs: number;
  readonly kernelsPerDenseLayer: number;
  readonly kernelsPerExpertLayer: number;
  /** Start of one collective: inside the scale-up domain, and across the network. */
  readonly collectiveUs: number;
  readonly remoteCollectiveUs: number;
  /** Share of the link's bandwidth that collectives reach. */
  readonly linkShare: number;
  /** Busiest GPU's expert load over the mean, where no redundant experts level it. */
  readonly expertImbalance: number;
  /** Share of the multiprocessors left to compute while the others communicate (prefill with two batches in flight). */
  readonly overlapComputeShare: number;
  readonly memoryShare: number;
  readonly reservedGb: number;
}

export const ENGINE: EngineCosts = {
  // InferSim (alibaba/InferSim, models/model.py): 30 ms of scheduling per prefill batch.
  prefillFixedMs: 30,
  // CALIBRATED on one row: InferSim's 5 ms puts Qwen3-8B-FP8 on the H20 15 % below its measured 2,682 tokens/s; 1 ms puts it within 2 %.
  // SGLang schedules the next step while this one runs, which is why the smaller figure is the likelier.
  decodeFixedMs: 1,
  // Launch gap inside a CUDA graph; counts are of the kernels SGLang runs per layer (norms, rope, cache write, activation, quantize; with
  // experts also gate, top-k, align, permute, sum).
  kernelUs: 3,
  kernelsPerDenseLayer: 10,
  kernelsPerExpertLayer: 16,
  // Typical NCCL start for small messages in a node and over InfiniBand. Not fitted.
  collectiveUs: 15,
  remoteCollectiveUs: 25,
  linkShare: 0.8,
  // CALIBRATED on one row: together with `collectiveUs` it puts decode of Qwen3-30B-A3B over 4 × H20 within 1 % of its measured 2,749 tokens/s.
  // DeepSeek-V3's rows were taken with balanced routing by construction and use 1.0; they were not used for any constant here.
  expertImbalance: 1.15,
  // DeepSeek-V3 technical report: 20 of 132 multiprocessors communicate; InferSim uses 108 / 132.
  overlapComputeShare: 108 / 132,
  // vLLM's gpu_memory_utilization since 0.22; activations and graphs take the reserve.
  memoryShare: 0.92,
  reservedGb: 5,
};
