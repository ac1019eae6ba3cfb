import { type CaseResult, row } from '../case-result.ts';
import { DEEPSEEK_DAY as DAY, MOONCAKE } from '../data/case-facts.ts';
import { planFleet } from '../fleet.ts';
import { parseScenario } from '../parse-scenario.ts';
import type { Scenario } from '../scenario.ts';

const SECONDS_PER_DAY = 86_400;

/** The trace's mix on 8 × A800 with the shape of a 70B model, which the paper's experiments use. */
function fleetScenario(): Scenario {
  const perRequest = MOONCAKE.inputTokensMean + MOONCAKE.outputTokensMean;
  const output = (MOONCAKE.tokensPerDay * MOONCAKE.outputTokensMean) / perRequest;
  return parseScenario(
    {
      name: 'Mooncake',
      model: 'llama-3.1-70b',
      hardware: 'a800',
      precision: { weights: 'bf16', cache: 'bf16' },
      serving: {
        mode: 'disaggregated',
        prefill: { tp: 8 },
        decode: { tp: 8 },
        interactivity: '10 tok/s',
        utilisation: '60 %',
        availability: '98 %',
      },
      demand: {
        output: `${output} tok/day`,
        cached: MOONCAKE.reusableShare,
        requestInput: `${MOONCAKE.inputTokensMean} tok`,
        requestOutput: `${MOONCAKE.outputTokensMean} tok`,
        profile: 'consumer-cn',
        lengthVariation: MOONCAKE.lengthVariation,
      },
      price: { output: '1 USD/Mtok' },
    },
    () => undefined,
  );
}

/** "Thousands of nodes, over 100 billion tokens a day": what one node gives there, against DeepSeek's, and against the roofline. */
export function mooncake(): CaseResult {
  const perNode = MOONCAKE.tokensPerDay / SECONDS_PER_DAY / MOONCAKE.nodes;
  const deepseek = (DAY.inputTokens + DAY.outputTokens) / SECONDS_PER_DAY / DAY.nodesMean;
  const plan = planFleet(fleetScenario());
  const derived = { source: `arithmetic on ${MOONCAKE.source}`, status: 'derived' } as const;
  return {
    id: 'mooncake',
    title: { en: "Mooncake's fleet", zh: 'Mooncake 的机群' },
    rows: [
      row({
        name: 'tokens_per_second_per_node',
        label: {
          en: 'Tokens in and out per node, at most (1,000 nodes)',
          zh: '单节点输入加输出吞吐上限（按 1000 节点）',
        },
        unit: 'tok/s',
        expected: 1157,
        computed: perNode,
        tolerancePct: 0.1,
        ...derived,
      }),
      row({
        name: 'deepseek_tokens_per_second_per_node',
        label: { en: "The same of DeepSeek's day", zh: 'DeepSeek 同口径吞吐' },
        unit: 'tok/s',
        expected: 39_600,
        computed: deepseek,
        tolerancePct: 0.1,
        ...derived,
      }),
      row({
        name: 'fleets_differ_by',
        label: { en: 'Factor between two real fleets', zh: '两个真实机群之间的倍数' },
        unit: '×',
        expected: 34.2,
        computed: deepseek / perNode,
        tolerancePct: 0.5,
        ...derived,
      }),
      row({
        name: 'trace_input_per_output',
        label: { en: 'Input per output token in its trace', zh: '其轨迹中的输入/输出比' },
        unit: '×',
        expected: 35.13,
        computed: MOONCAKE.inputTokensMean / MOONCAKE.outputTokensMean,
        tolerancePct: 0.1,
        source: MOONCAKE.trace,
        status: 'derived',
      }),
      row({
        name: 'trace_reusable_share',
        label: { en: 'Input that an unbounded cache would serve', zh: '无限缓存可命中的输入比例' },
        unit: '%',
        expected: 36.6,
        computed: MOONCAKE.reusableShare * 100,
        tolerancePct: 0.2,
        source: MOONCAKE.trace,
        status: 'derived',
      }),
      row({
        name: 'nodes_by_roofline',
        label: {
          en: 'Nodes for 100 Gtok a day: 70B shape, 8 × A800, the trace as mix',
          zh: '每天 1000 亿词元所需节点（70B 结构、8×A800、按轨迹构成）',
        },
        unit: 'nodes',
        expected: MOONCAKE.nodes,
        computed: plan.nodesPeak,
        tolerancePct: 100,
        source: `${MOONCAKE.source}; model, load curve and head-room assumed`,
        status: 'unverified',
      }),
    ],
    findings: [
      {
        en: 'Two real fleets differ by more than thirty per node; inputs 35 times as long as outputs, the model and the head-room for peaks explain most of it, which is why the planner asks for the mix.',
        zh: '两个真实机群的单节点吞吐相差三十倍以上；输入是输出的 35 倍、模型不同、为高峰预留余量可解释其中大部分，因此规划器要求给出负载构成。',
      },
    ],
  };
}
