import { type CaseResult, fill } from '../case-result.ts';
import { DEEPSEEK_DAY as DAY, MOONCAKE } from '../data/case-facts.ts';
import { MOONCAKE_ROWS } from '../data/fleet-rows.ts';
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
  return {
    id: 'mooncake',
    title: { en: "Mooncake's fleet", zh: 'Mooncake 的机群' },
    rows: fill(MOONCAKE_ROWS, {
      tokens_per_second_per_node: perNode,
      deepseek_tokens_per_second_per_node: deepseek,
      fleets_differ_by: deepseek / perNode,
      trace_input_per_output: MOONCAKE.inputTokensMean / MOONCAKE.outputTokensMean,
      trace_reusable_share: MOONCAKE.reusableShare * 100,
      nodes_by_roofline: plan.nodesPeak,
    }),
    findings: [
      {
        en: `Two real fleets differ by more than thirty per node. Inputs 35 times as long as outputs, older chips, another model and head-room for peaks explain a factor of ${(deepseek / (perNode * (MOONCAKE.nodes / plan.nodesPeak))).toFixed(0)} of it under the stated assumptions; the rest is unexplained, as neither the exact number of nodes nor what else they did was published.`,
        zh: `两个真实机群的单节点吞吐相差三十倍以上。在所述假定下，输入是输出的 35 倍、芯片更旧、模型不同、为高峰预留余量合计可解释其中约 ${(deepseek / (perNode * (MOONCAKE.nodes / plan.nodesPeak))).toFixed(0)} 倍；其余无法解释，因为确切节点数及其还承担的其他任务均未公布。`,
      },
    ],
  };
}
