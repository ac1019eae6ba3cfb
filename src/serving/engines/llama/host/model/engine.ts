import type { Llama, LlamaContext, LlamaModel, Token } from 'node-llama-cpp';
import type { GgufSummary } from '../../inspect-gguf.ts';
import type { MemoryPlan } from '../../memory-plan.ts';
import type { EngineMetrics } from '../answers/metrics.ts';
import type { ChatTemplate } from '../templates/chat-template.ts';
import type { Embedder } from './embedder.ts';
import type { ModelProfile } from './profiles.ts';
import type { SequencePool } from './sequence-pool.ts';
import type { StallWatch } from './stall-watch.ts';
import type { Tuning } from './tune.ts';

/** A loaded model, and all that answers about it need. */
export interface Engine {
  readonly summary: GgufSummary;
  readonly profile: ModelProfile;
  readonly plan: MemoryPlan;
  readonly tuning: Tuning;
  readonly llama: Llama;
  readonly model: LlamaModel;
  /** Absent where the model makes embeddings only. */
  readonly generator?: Generator;
  readonly embedder: Embedder;
  readonly metrics: EngineMetrics;
  readonly watch: StallWatch;
  /** How long a step may take. */
  readonly stallMs: number;
  readonly nowMs: () => number;
  readonly createdAtS: number;
}

/** What makes text. */
export interface Generator {
  readonly context: LlamaContext;
  readonly pool: SequencePool;
  readonly template: ChatTemplate;
  /** Tokens of a prompt that are evaluated before looking up: about a quarter of a second's worth. */
  readonly chunkTokens: number;
  /** Control tokens whose text is shown: thinking and tool marks. */
  readonly shownTokens: ReadonlySet<Token>;
}
