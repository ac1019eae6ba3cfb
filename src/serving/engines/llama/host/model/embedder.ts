import type { LlamaEmbeddingContext, LlamaModel, Token } from 'node-llama-cpp';
import { Fault } from '../../../../../ground/std/index.ts';

/** Longest text that becomes one vector: it is evaluated in one batch, whose buffers grow with it. */
const EMBEDDING_TOKENS_MAX = 2_048;
/** Texts that may wait at once, over all requests. */
const WAITING_MAX = 4_096;
const RETRY_AFTER_MS = 5_000;

export interface Embedding {
  /** Of length 1 (L2). */
  readonly vector: Float32Array;
  /** Evaluated, with the marks that some models want around a text. */
  readonly tokens: number;
}

/** Vectors for texts. Its context is made at first use: many deployments never need one. */
export interface Embedder {
  readonly tokensMax: number;
  readonly vectorLength: number;
  /** Takes room for `count` texts, and gives it back. @throws Fault `capacity` */
  reserve(count: number): () => void;
  /** One at a time: they share one sequence. */
  embed(tokens: readonly Token[]): Promise<Embedding>;
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
      const embedding = await context;
      const { vector } = await embedding.getEmbeddingFor([...tokens]);
      const length = Math.hypot(...vector);
      return {
        vector: Float32Array.from(vector, value => (length > 0 ? value / length : 0)),
        tokens: embedding.calculateInputLength([...tokens]),
      };
    },
  };
}
