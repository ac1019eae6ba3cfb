import type { Engine } from '../model/engine.ts';

/** `GET /v1/models`: the one model of this host. */
export function describeModels({ summary, plan, createdAtS }: Engine): object {
  return {
    object: 'list',
    data: [
      {
        id: summary.name,
        object: 'model',
        created: createdAtS,
        owned_by: 'millrace',
        meta: {
          n_ctx: plan.contextTokens,
          n_ctx_train: summary.contextTokens,
          n_params: summary.parameterCount,
          n_vocab: summary.vocabularySize,
          n_embd: summary.embeddingLength,
          size: summary.fileBytes,
        },
      },
    ],
  };
}

/** `GET /props`: how the model is run, with all that was measured to decide it. Names of llama.cpp's server where it has them. */
export function describeProps({ summary, plan, tuning, profile, generator, embedder }: Engine): object {
  return {
    total_slots: plan.sequences,
    chat_template: generator?.template.text ?? null,
    chat_template_source: generator?.template.source ?? null,
    default_generation_settings: {
      n_ctx: plan.contextTokens,
      params: { ...profile.sampling, thinking: profile.thinking ?? null },
    },
    model: {
      name: summary.name,
      architecture: summary.architecture,
      quantization: summary.quantization,
      parameters: summary.parameterCount,
      operations: summary.operations,
    },
    embedding: { tokens_max: embedder.tokensMax, dimensions: embedder.vectorLength },
    memory: {
      needed_bytes: plan.neededBytes,
      cache_bytes: plan.cacheBytes,
      available_bytes_at_start: plan.availableBytes,
    },
    tuning,
    prompt_chunk_tokens: generator?.chunkTokens ?? null,
  };
}
