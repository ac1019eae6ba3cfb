/** Scenario documents to start from, as people write them. `plan show NAME` prints one. */
export interface ScenarioText {
  readonly id: string;
  readonly title: { readonly en: string; readonly zh: string };
  readonly yaml: string;
}

const DEEPSEEK_SERVING = `  mode: disaggregated
  prefill: { dp: 32, ep: 32 }      # 4 nodes
  decode: { dp: 144, ep: 144 }     # 18 nodes
  overlap: true
  redundantExperts: 32
  interactivity: 21 tok/s`;

export const SCENARIOS: readonly ScenarioText[] = [
  {
    id: 'deepseek-day',
    title: { en: "DeepSeek's published day, 2025-02-27", zh: 'DeepSeek 公布的一天（2025-02-27）' },
    yaml: `name: DeepSeek V3/R1, 2025-02-27 12:00 to 02-28 12:00
model: deepseek-r1
hardware: h800
precision: { weights: fp8, cache: bf16 }
serving:
${DEEPSEEK_SERVING}
  measured: { prefill: 73.7 ktok/s/node, decode: 14.8 ktok/s/node }
  utilisation: 100 %
  availability: 100 %
  wholeUnits: false                # the published figure is an average over the day
  scaling: mean
demand:
  output: 168 Gtok/day
  input: 608 Gtok/day
  cached: 56.25 %                  # 342 of 608
  requestInput: 4096 tok
  requestOutput: 1786 tok
price: { book: deepseek-r1-2025-02-09, date: 2025-02-27, days: 1 }
cost: { gpu: 2 USD/h }
`,
  },
  {
    id: 'r1-100b',
    title: {
      en: '100 Gtok a day of R1 at 16 yuan, provisioned with care',
      zh: '每天 1000 亿词元的 R1，16 元/百万，稳妥配置',
    },
    yaml: `name: R1 at 16 CNY/Mtok, 100 Gtok/day, 8 × H800
model: deepseek-r1
hardware: h800
precision: { weights: fp8, cache: bf16 }
serving:
${DEEPSEEK_SERVING}
  utilisation: 60 %
  availability: 98 %
  scaling: peak
demand:
  output: 100 Gtok/day
  inputPerOutput: 3.62
  cached: 56.25 %
  requestInput: 4096 tok
  requestOutput: 1786 tok
  profile: consumer-cn
price: { book: deepseek-r1-cny-2025-02-09, date: 2025-02-09 }
cost: { gpu: 2 USD/h, other: 10 % }
currency: CNY
exchange: 7.2 CNY/USD
`,
  },
  {
    id: 'qwen3-32b-h20',
    title: { en: 'A small service of Qwen3-32B on H20', zh: 'H20 上的 Qwen3-32B 小型服务' },
    yaml: `name: Qwen3-32B on 8 × H20
model: qwen3-32b
hardware: h20
precision: { weights: fp8, cache: fp8 }
serving:
  mode: aggregated
  decode: { tp: 2 }
  interactivity: 25 tok/s
  utilisation: 65 %
  availability: 99 %
demand:
  users: 200 kuser
  activity: 0.5 %
  speed: 25 tok/s
  cached: 30 %
  requestInput: 2048 tok
  requestOutput: 512 tok
  profile: office-cn
price: { hit: 0.4 CNY/Mtok, miss: 2 CNY/Mtok, output: 8 CNY/Mtok }
cost: { gpu: 9 CNY/h, other: 15 %, fixed: 100000 CNY }
currency: CNY
exchange: 7.2 CNY/USD
`,
  },
  {
    id: 'wechat-h20',
    title: {
      en: '50 million users online on H20, 7.1 % of them generating',
      zh: 'H20 服务 5000 万同时在线用户，其中 7.1% 正在生成',
    },
    yaml: `name: R1 for 50 Muser online on H20
model: deepseek-r1
hardware: h20
precision: { weights: fp8, cache: bf16 }
serving:
  mode: disaggregated
  prefill: { dp: 8, ep: 8 }
  decode: { dp: 16, ep: 16 }
  measured: { prefill: 16.5 ktok/s/node, decode: 5.7 ktok/s/node }
  interactivity: 20 tok/s
  utilisation: 100 %
  availability: 100 %
  scaling: mean
  wholeUnits: false
demand:
  users: 50 Muser
  activity: 7.125 %
  speed: 20 tok/s
  inputPerOutput: 0
price: { book: deepseek-r1-cny-2025-02-09, date: 2025-02-09 }
currency: CNY
exchange: 7.2 CNY/USD
`,
  },
];
