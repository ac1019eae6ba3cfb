import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parameters } from './architecture.ts';
import { architectureFromConfig } from './hf-config.ts';
import { findArchitecture } from './lookup.ts';

// The fields of the releases' own config.json that cost depends on.
const QWEN3_30B = {
  architectures: ['Qwen3MoeForCausalLM'],
  hidden_size: 2048,
  intermediate_size: 6144,
  moe_intermediate_size: 768,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  head_dim: 128,
  num_hidden_layers: 48,
  num_experts: 128,
  num_experts_per_tok: 8,
  vocab_size: 151_936,
  tie_word_embeddings: false,
  max_position_embeddings: 40_960,
};
const DEEPSEEK_V3 = {
  hidden_size: 7168,
  intermediate_size: 18_432,
  moe_intermediate_size: 2048,
  num_attention_heads: 128,
  num_key_value_heads: 128,
  num_hidden_layers: 61,
  n_routed_experts: 256,
  n_shared_experts: 1,
  num_experts_per_tok: 8,
  first_k_dense_replace: 3,
  q_lora_rank: 1536,
  kv_lora_rank: 512,
  qk_rope_head_dim: 64,
  qk_nope_head_dim: 128,
  v_head_dim: 128,
  vocab_size: 129_280,
  num_nextn_predict_layers: 1,
};
const GPT2 = { n_layer: 12, n_head: 12, n_embd: 768, vocab_size: 50_257, n_positions: 1024, tie_word_embeddings: true };

for (const [id, config] of [
  ['qwen3-30b-a3b', QWEN3_30B],
  ['deepseek-v3', DEEPSEEK_V3],
] as const) {
  test(`${id} reads as its row in the data file`, () => {
    const { attention, denseLayers, hidden, layers, mixture, vocabulary } = architectureFromConfig(config, id);
    const known = findArchitecture('model', id);
    assert.deepEqual(
      { attention, denseLayers, hidden, layers, mixture, vocabulary },
      {
        attention: known.attention,
        denseLayers: known.denseLayers,
        hidden: known.hidden,
        layers: known.layers,
        mixture: known.mixture,
        vocabulary: known.vocabulary,
      },
    );
  });
}

test('the text part of a multimodal config is read', () => {
  assert.equal(architectureFromConfig({ vision_config: {}, text_config: DEEPSEEK_V3 }, 'x').layers, 61);
});

test('older names are understood, the head dimension follows from the width', () => {
  const model = architectureFromConfig(GPT2, 'gpt2');
  assert.deepEqual(model.attention, { kind: 'gqa', heads: 12, kvHeads: 12, headDim: 64 });
  assert.equal(model.denseIntermediate, 3072);
  assert.ok(parameters(model).total > 1e8);
});

const refused: readonly [string, unknown, RegExp][] = [
  ['no object', 'text', /is no JSON object/],
  ['no layers', { hidden_size: 1 }, /num_hidden_layers: is missing/],
  [
    'linear attention',
    { ...QWEN3_30B, linear_num_key_heads: 16 },
    /uses linear attention, which the planner does not cost/,
  ],
  ['an indexer', { ...DEEPSEEK_V3, index_topk: 2048 }, /sparse attention/],
  ['a negative size', { ...QWEN3_30B, hidden_size: -1 }, /out of range/],
  ['a size that is no number', { ...QWEN3_30B, hidden_size: 'wide' }, /not a finite number/],
];
for (const [name, config, message] of refused)
  test(`refuses ${name}`, () => assert.throws(() => architectureFromConfig(config, 'x'), message));
