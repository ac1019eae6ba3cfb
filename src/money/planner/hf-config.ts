import type { Architecture, ExpertMix, GroupedQueryAttention, LatentAttention } from './architecture.ts';
import { BadInput, requireWithin } from './bad-input.ts';

type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** First of several names that is there: vendors name the same figure differently. */
function number(config: Json, names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = config[name];
    if (value !== undefined && value !== null)
      return requireWithin(`config.json ${name}`, Number(value), { min: 0, max: 1e8 });
  }
  return undefined;
}

function needed(config: Json, names: readonly string[]): number {
  const value = number(config, names);
  if (value === undefined || value === 0)
    throw new BadInput(
      `config.json ${names[0] ?? ''}`,
      'is missing; the planner needs the config.json of a decoder-only transformer',
      '缺失；规划器需要仅解码器 Transformer 的 config.json',
    );
  return value;
}

function readAttention(config: Json): GroupedQueryAttention | LatentAttention {
  const heads = needed(config, ['num_attention_heads', 'n_head']);
  const kvRank = number(config, ['kv_lora_rank']);
  if (kvRank) {
    return {
      kind: 'mla',
      heads,
      queryRank: number(config, ['q_lora_rank']) ?? 0,
      kvRank,
      ropeDim: needed(config, ['qk_rope_head_dim']),
      nopeDim: needed(config, ['qk_nope_head_dim']),
      valueDim: needed(config, ['v_head_dim']),
    };
  }
  const headDim = number(config, ['head_dim']) ?? needed(config, ['hidden_size', 'n_embd']) / heads;
  return { kind: 'gqa', heads, kvHeads: number(config, ['num_key_value_heads']) ?? heads, headDim };
}

function readMixture(config: Json): ExpertMix | undefined {
  const experts = number(config, ['n_routed_experts', 'num_experts', 'num_local_experts']);
  if (!experts || experts <= 1) return undefined;
  const intermediate = needed(config, ['moe_intermediate_size', 'intermediate_size']);
  const sharedWidth = number(config, ['shared_expert_intermediate_size']);
  return {
    experts,
    topK: needed(config, ['num_experts_per_tok', 'num_experts_per_token', 'moe_topk']),
    sharedExperts:
      number(config, ['n_shared_experts', 'num_shared_experts']) ?? (sharedWidth ? sharedWidth / intermediate : 0),
    intermediate,
  };
}

// What these formulas do not describe: its cost would come out wrong without a word.
const UNSUPPORTED: readonly (readonly [key: string, what: string, zh: string])[] = [
  ['linear_num_key_heads', 'linear attention', '线性注意力'],
  ['ssm_cfg', 'state-space layers', '状态空间层'],
  ['mamba_d_state', 'state-space layers', '状态空间层'],
  ['index_topk', 'sparse attention with an indexer', '带索引器的稀疏注意力'],
  ['is_encoder_decoder', 'an encoder', '编码器'],
];

function refuseUnknown(config: Json): void {
  for (const [key, what, zh] of UNSUPPORTED) {
    if (config[key] !== undefined && config[key] !== null && config[key] !== false)
      throw new BadInput(
        `config.json ${key}`,
        `the model uses ${what}, which the planner does not cost`,
        `该模型使用${zh}，规划器无法估算其成本`,
      );
  }
}

/**
 * Reads a Hugging Face `config.json` (dense, GQA, MLA, experts; text part of a multimodal one).
 * Throws {@link BadInput} where a figure is missing or the architecture is of a kind that the formulas do not describe.
 */
export function architectureFromConfig(document: unknown, name: string): Architecture {
  if (!isRecord(document)) throw new BadInput('config.json', 'is no JSON object', '不是 JSON 对象');
  const inner = document['text_config'];
  const config = isRecord(inner) ? inner : document;
  refuseUnknown(config);
  const layers = needed(config, ['num_hidden_layers', 'n_layer']);
  const mixture = readMixture(config);
  const intermediate =
    number(config, ['intermediate_size', 'n_inner']) ?? 4 * needed(config, ['hidden_size', 'n_embd']);
  return {
    id: name,
    name,
    layers,
    denseLayers: mixture ? Math.min(layers, number(config, ['first_k_dense_replace']) ?? 0) : 0,
    hidden: needed(config, ['hidden_size', 'n_embd']),
    denseIntermediate: intermediate,
    vocabulary: needed(config, ['vocab_size']),
    tiedEmbedding: config['tie_word_embeddings'] === true,
    attention: readAttention(config),
    ...(mixture ? { mixture } : {}),
    draftLayers: number(config, ['num_nextn_predict_layers']) ?? 0,
    contextMax: number(config, ['max_position_embeddings', 'n_positions']) ?? 0,
    source: `${name} config.json`,
    date: '',
  };
}
