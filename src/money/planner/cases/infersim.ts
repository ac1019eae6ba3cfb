import { type CaseResult, type CaseRow, row } from '../case-result.ts';
import { INFERSIM, INFERSIM_SOURCE, type ThroughputRow } from '../data/case-facts.ts';
import { ENGINE } from '../data/engine.ts';
import { findArchitecture, findHardware } from '../lookup.ts';
import { decode, prefill } from '../replica.ts';
import type { Replica } from '../replica-shape.ts';

function replicaFor(setup: ThroughputRow): Replica {
  return {
    model: findArchitecture('model', setup.model),
    hardware: findHardware('hardware', setup.hardware),
    weights: setup.weights,
    cache: 'bf16',
    parallel: { tp: 1, pp: 1, dp: setup.gpus, ep: setup.model.startsWith('qwen3-8b') ? 1 : setup.gpus },
    engine: ENGINE,
    overlap: setup.overlap,
    // DeepSeek profiled with balanced routing; SGLang's Qwen3 runs had the router's own balance.
    redundantExperts: setup.model === 'deepseek-v3' ? 32 : 0,
  };
}

function predict(setup: ThroughputRow): number {
  const replica = replicaFor(setup);
  if (setup.phase === 'decode') return decode(replica, setup.batch, setup.context).tokensPerSecondPerGpu;
  return prefill(replica, { promptTokens: setup.context, cachedShare: 0, batchTokensPerRank: setup.batch })
    .tokensPerSecondPerGpu;
}

function toRow(setup: ThroughputRow): CaseRow {
  const phase = setup.phase === 'prefill' ? { en: 'prefill', zh: '预填充' } : { en: 'decode', zh: '解码' };
  const place = `${findArchitecture('model', setup.model).name}, ${setup.gpus} × ${setup.hardware.toUpperCase()}`;
  return row({
    name: setup.name,
    label: { en: `${place}, ${phase.en}`, zh: `${place}，${phase.zh}` },
    unit: 'tok/s/GPU',
    expected: setup.measured,
    computed: predict(setup),
    tolerancePct: setup.statedPct,
    source: setup.calibrated ? `${INFERSIM_SOURCE} (this row ${setup.calibrated})` : INFERSIM_SOURCE,
    status: 'verified',
  });
}

/** The roofline of one replica against six measured rows; the tolerance is the error that InferSim states for its own prediction. */
export function infersim(): CaseResult {
  return {
    id: 'infersim',
    title: { en: 'One replica against measured throughput', zh: '单副本模型与实测吞吐对照' },
    rows: INFERSIM.map(toRow),
    findings: [
      {
        en: 'Two of the six rows set one constant each and say so; the other four are predictions.',
        zh: '六行中有两行各用于标定一个常数并已注明，其余四行均为预测。',
      },
    ],
  };
}
