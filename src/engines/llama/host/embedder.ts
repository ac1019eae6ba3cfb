import type { LlamaEmbeddingContext, LlamaModel, Token } from 'node-llama-cpp';
import { Fault } from '../../../std/index.ts';

/** Longest text that becomes one vector: it is evaluated in one batch, whose buffers grow with it. */
const EMBEDDING_TOKENS_MAX = 2_048;
/** Texts that may wait at once, over all requests. */
const WAITING_MAX = 4_096;
const RETRY_AFTER_MS = 5_000;

/** Vectors for texts. Its context is made at first use: many deployments never need one. */
export interface Embedder {
  readonly tokensMax: number;
  readonly vectorLength: number;
  /** Takes room for `count` texts, and gives it back. @throws Fault `capacity` */
  reserve(count: number): () => void;
  /** Of length 1 (L2). One at a time: they share one sequence. */
  embed(tokens: readonly Token[]): Promise<Float32Array>;
}

export function createEmbedder(
  model: LlamaModel,
  options: { readonly contextTokens: number; readonly threads: number },
): Embedder {
  const tokensMax = Math.min(options.contextTokens, EMBEDDING_TOKENS_MAX);
  let waiting = 0;
  let context: Promise<LlamaEmbeddingContext> | undefined;
  const create = () =>
    model
      .createEmbeddingContext({ contextSize: tokensMax, batchSize: tokensMax, threads: options.threads })
      .catch(error => {
        context = undefined;
        throw error;
      });
  return {
    tokensMax,
    vectorLength: model.embeddingVectorSize,
    reserve(count) {
      if (waiting + count > WAITING_MAX) throw new Fault('capacity', { retryAfterMs: RETRY_AFTER_MS });
      waiting += count;
      return () => {
        waiting -= count;
      };
    },
    async embed(tokens) {
      context ??= create();
      const { vector } = await (await context).getEmbeddingFor([...tokens]);
      const length = Math.hypot(...vector);
      return Float32Array.from(vector, value => (length > 0 ? value / length : 0));
    },
  };
}
