import { type CaseResult, type CaseRow, row } from '../case-result.ts';
import { CLAIM, DEEPSEEK_DAY as DAY } from '../data/case-facts.ts';
import { type FleetPlan, planFleet } from '../fleet.ts';
import { toMajor } from '../money.ts';
import { breakEvenTokensPerSecond } from '../unit-cost.ts';
import { shippedScenario } from './load.ts';

const MONTH_DAYS = 30;
const SECONDS_PER_DAY = 86_400;
const OUTPUT_PRICE_NANO = 16_000_000_000n;
const FLEET_PER_NODE = DAY.outputTokens / SECONDS_PER_DAY / DAY.nodesMean;
const nano = (major: number): bigint => BigInt(Math.round(major * 1e9));

interface Month {
  readonly outputRevenueM: number;
  readonly allRevenueM: number;
  readonly costM: number;
}

/** A month of 100 Gtok a day on DeepSeek's own fleet efficiency, with and without what input earns. */
function monthAtDeepseek(): Month {
  const base = {
    demand: {
      output: '100 Gtok/day',
      inputPerOutput: DAY.inputTokens / DAY.outputTokens,
      cached: DAY.hitTokens / DAY.inputTokens,
    },
    currency: 'CNY',
    exchange: `${CLAIM.cnyPerUsd} CNY/USD`,
  };
  const month = (plan: FleetPlan, key: 'revenueDay' | 'costDay') => (toMajor(plan[key].nano) * MONTH_DAYS) / 1e6;
  const outputOnly = planFleet(
    shippedScenario('deepseek-day', {
      ...base,
      price: { hit: '0 CNY/Mtok', miss: '0 CNY/Mtok', output: '16 CNY/Mtok' },
    }),
  );
  const all = planFleet(shippedScenario('deepseek-day', { ...base, price: { book: 'deepseek-r1-cny-2025-02-09' } }));
  return {
    outputRevenueM: month(outputOnly, 'revenueDay'),
    allRevenueM: month(all, 'revenueDay'),
    costM: month(all, 'costDay'),
  };
}

const claimed = { source: CLAIM.source, status: 'verified' } as const;
const derived = { source: 'arithmetic on cited figures', status: 'derived' } as const;
const doubtful = { source: CLAIM.fourThousand, status: 'unverified' } as const;

function claimRows({ outputRevenueM }: Month): readonly CaseRow[] {
  return [
    row({
      name: 'revenue_month_claimed',
      label: { en: 'Revenue per month, as claimed', zh: '月收入（原说法）' },
      unit: 'MCNY/month',
      expected: CLAIM.revenueM,
      computed: outputRevenueM,
      tolerancePct: 7,
      ...claimed,
    }),
    row({
      name: 'revenue_month_exact',
      label: { en: 'Revenue per month, the exact product', zh: '月收入（精确乘积）' },
      unit: 'MCNY/month',
      expected: 48,
      computed: outputRevenueM,
      tolerancePct: 0.01,
      ...derived,
    }),
    row({
      name: 'result_month',
      label: { en: 'Result per month with machines of 450 M', zh: '月损益（机器 4.5 亿元）' },
      unit: 'MCNY/month',
      expected: CLAIM.resultM,
      computed: outputRevenueM - CLAIM.machinesM,
      tolerancePct: 2,
      ...claimed,
    }),
  ];
}

function breakEvenRows(month: Month): readonly CaseRow[] {
  const machineMonth = (CLAIM.machinesM * 1e6) / CLAIM.machines;
  const perMachine = CLAIM.outputPerDay / SECONDS_PER_DAY / CLAIM.machines;
  const breakEven = breakEvenTokensPerSecond(nano(machineMonth), OUTPUT_PRICE_NANO);
  return [
    row({
      name: 'machine_month',
      label: { en: 'Rent of one machine per month', zh: '单台机器月租' },
      unit: 'CNY/month',
      expected: 112_500,
      computed: machineMonth,
      tolerancePct: 0.1,
      ...doubtful,
    }),
    row({
      name: 'gpu_hour',
      label: { en: 'Rent of one GPU per hour', zh: '单卡每小时租金' },
      unit: 'CNY/h',
      expected: 19.5,
      computed: machineMonth / (MONTH_DAYS * 24 * 8),
      tolerancePct: 0.5,
      ...doubtful,
    }),
    row({
      name: 'throughput_claimed',
      label: { en: 'Output per machine in the claim', zh: '原说法中单机输出吞吐' },
      unit: 'tok/s',
      expected: 289,
      computed: perMachine,
      tolerancePct: 0.5,
      ...doubtful,
    }),
    row({
      name: 'throughput_break_even',
      label: { en: 'Output per machine that breaks even', zh: '单机盈亏平衡吞吐' },
      unit: 'tok/s',
      expected: 2713,
      computed: breakEven,
      tolerancePct: 0.1,
      ...doubtful,
    }),
    row({
      name: 'throughput_deepseek',
      label: { en: "DeepSeek's fleet, mean over all nodes", zh: 'DeepSeek 全部节点平均吞吐' },
      unit: 'tok/s',
      expected: 8575,
      computed: FLEET_PER_NODE,
      tolerancePct: 0.1,
      ...derived,
    }),
    row({
      name: 'utilisation_break_even',
      label: { en: 'Share of that throughput that breaks even', zh: '盈亏平衡所需利用率（相对 DeepSeek 吞吐）' },
      unit: '%',
      expected: (2713 / 8575) * 100,
      computed: (breakEven / FLEET_PER_NODE) * 100,
      tolerancePct: 0.2,
      ...doubtful,
    }),
    row({
      name: 'utilisation_claimed',
      label: { en: 'Share of that throughput in the claim', zh: '原说法隐含的利用率（相对 DeepSeek 吞吐）' },
      unit: '%',
      expected: 100 / 29.6,
      computed: (perMachine / FLEET_PER_NODE) * 100,
      tolerancePct: 0.5,
      ...doubtful,
    }),
    row({
      name: 'cost_month_at_deepseek',
      label: { en: "Cost per month at DeepSeek's efficiency", zh: '按 DeepSeek 效率计算的月成本' },
      unit: 'MCNY/month',
      expected: 11.2,
      computed: month.costM,
      tolerancePct: 0.5,
      ...derived,
    }),
    row({
      name: 'over_provision_output_only',
      label: { en: 'Over-provisioning that breaks even, output revenue', zh: '盈亏平衡的冗余倍数（只计输出收入）' },
      unit: '×',
      expected: 4.29,
      computed: month.outputRevenueM / month.costM,
      tolerancePct: 0.5,
      ...derived,
    }),
    row({
      name: 'over_provision_all',
      label: { en: 'Over-provisioning that breaks even, all revenue', zh: '盈亏平衡的冗余倍数（含输入收入）' },
      unit: '×',
      expected: 6.53,
      computed: month.allRevenueM / month.costM,
      tolerancePct: 0.5,
      ...derived,
    }),
    row({
      name: 'result_at_five_output_only',
      label: { en: 'Result at five-fold machines, output revenue', zh: '五倍机器时的月损益（只计输出收入）' },
      unit: 'MCNY/month',
      expected: -8,
      computed: month.outputRevenueM - CLAIM.overProvision * month.costM,
      tolerancePct: 2,
      ...derived,
    }),
    row({
      name: 'result_at_five_all',
      label: { en: 'Result at five-fold machines, all revenue', zh: '五倍机器时的月损益（含输入收入）' },
      unit: 'MCNY/month',
      expected: 17,
      computed: month.allRevenueM - CLAIM.overProvision * month.costM,
      tolerancePct: 2,
      ...derived,
    }),
  ];
}

/** The claim's cost over the cost at DeepSeek's efficiency, as a product: rent × head-room × what remains. */
function factors(month: Month): {
  readonly rent: number;
  readonly headRoom: number;
  readonly speed: number;
  readonly total: number;
} {
  const total = CLAIM.machinesM / month.costM;
  const rent = (CLAIM.machinesM * 1e6) / CLAIM.machines / (2 * CLAIM.cnyPerUsd * 8 * 24 * MONTH_DAYS);
  return { rent, headRoom: CLAIM.overProvision, speed: total / rent / CLAIM.overProvision, total };
}

function factorRows(month: Month): readonly CaseRow[] {
  const { rent, headRoom, speed, total } = factors(month);
  return [
    row({
      name: 'factor_total',
      label: { en: 'Claimed cost over cost at DeepSeek efficiency', zh: '原说法成本与 DeepSeek 效率成本之比' },
      unit: '×',
      expected: 40.2,
      computed: total,
      tolerancePct: 0.5,
      ...derived,
    }),
    row({
      name: 'factor_rent',
      label: { en: '… of which rent of a machine', zh: '……其中：机器租金' },
      unit: '×',
      expected: 1.356,
      computed: rent,
      tolerancePct: 0.2,
      ...doubtful,
    }),
    row({
      name: 'factor_head_room',
      label: {
        en: '… of which head-room in his words ("5 × the theoretical machines")',
        zh: '……其中：原话“理论值 5 倍的机器”',
      },
      unit: '×',
      expected: 5,
      computed: headRoom,
      tolerancePct: 0,
      source: CLAIM.words,
      status: 'verified',
    }),
    row({
      name: 'factor_speed',
      label: { en: '… of which the rest: speed of one machine', zh: '……其余：单机速度' },
      unit: '×',
      expected: 5.93,
      computed: speed,
      tolerancePct: 0.5,
      ...doubtful,
    }),
  ];
}

/** "16 yuan per million, 100 billion tokens a day: minus 400 million a month", its break-even, and the dispute in factors. */
export function r1SixteenYuan(): CaseResult {
  const month = monthAtDeepseek();
  const { rent, headRoom } = factors(month);
  const { allRevenueM, costM, outputRevenueM } = month;
  return {
    id: 'r1-16-yuan',
    title: { en: 'R1 at 16 yuan: minus 400 million a month?', zh: '16 元的 R1：每月亏 4 亿元？' },
    rows: [...claimRows(month), ...breakEvenRows(month), ...factorRows(month)],
    findings: [
      {
        en: `The claim follows from its machines: it breaks even at ${((2713 / FLEET_PER_NODE) * 100).toFixed(1)} % of the throughput that DeepSeek published, and stands at 3.4 %.`,
        zh: `原说法的结论取决于机器台数：达到 DeepSeek 公布吞吐的 ${((2713 / FLEET_PER_NODE) * 100).toFixed(1)}% 即可盈亏平衡，而它隐含的只有 3.4%。`,
      },
      {
        en: 'The dispute is the utilisation: at DeepSeek efficiency 100 Gtok a day cost 11.2 million yuan a month; five-fold machines turn profit into a small loss without input revenue, and keep a profit with it.',
        zh: '争论的实质是利用率：按 DeepSeek 的效率，每天 1000 亿词元每月成本约 1120 万元；机器翻五倍后，只算输出收入略亏，算上输入收入仍有盈利。',
      },
      {
        en: 'The 4,000 machines stand in no source reached; everything that depends on them is marked unverified.',
        zh: '“4000 台机器”未能找到任何出处；凡依赖它的数字均标为未核实。',
      },
    ],
    waterfall: {
      title: {
        en: 'From profit to loss, one factor at a time (output and input revenue, MCNY a month)',
        zh: '从盈利到亏损，逐项拆解（百万元/月）',
      },
      unit: 'MCNY/month',
      steps: [
        { label: { en: 'DeepSeek efficiency', zh: '按 DeepSeek 效率' }, value: allRevenueM - costM },
        { label: { en: 'no input revenue', zh: '不计输入收入' }, value: outputRevenueM - costM },
        { label: { en: 'claimed rent', zh: '按原说法租金' }, value: outputRevenueM - costM * rent },
        { label: { en: '5 × head-room', zh: '5 倍冗余' }, value: outputRevenueM - costM * rent * headRoom },
        { label: { en: 'slow machines', zh: '单机速度' }, value: outputRevenueM - CLAIM.machinesM },
      ],
    },
  };
}

/** The same claim with AMD machines of 270 million: "a loss of more than 200 million". */
export function r1SixteenYuanAmd(): CaseResult {
  const month = monthAtDeepseek();
  const { outputRevenueM } = month;
  const ratio = CLAIM.amdMachinesM / outputRevenueM;
  const perMachineBreakEven = breakEvenTokensPerSecond(
    nano((CLAIM.amdMachinesM * 1e6) / CLAIM.machines),
    OUTPUT_PRICE_NANO,
  );
  return {
    id: 'r1-16-yuan-amd',
    title: { en: 'R1 at 16 yuan on AMD: minus 200 million a month?', zh: '换用 AMD：每月亏 2 亿元？' },
    rows: [
      row({
        name: 'result_month',
        label: {
          en: 'Result per month with machines of 270 M (claimed: a loss above 200 M)',
          zh: '月损益（机器 2.7 亿元；原说法：亏损超过 2 亿元）',
        },
        unit: 'MCNY/month',
        expected: CLAIM.amdResultM,
        computed: outputRevenueM - CLAIM.amdMachinesM,
        tolerancePct: 15,
        ...claimed,
      }),
      row({
        name: 'result_month_as_claimed',
        label: { en: 'Result from the claimed revenue', zh: '按原说法收入计算的月损益' },
        unit: 'MCNY/month',
        expected: CLAIM.revenueM - CLAIM.amdMachinesM,
        computed: outputRevenueM - CLAIM.amdMachinesM,
        tolerancePct: 2,
        ...derived,
      }),
      row({
        name: 'utilisation_rise_to_break_even',
        label: { en: 'Rise of utilisation that breaks even', zh: '盈亏平衡所需的利用率提升倍数' },
        unit: '×',
        expected: 5.625,
        computed: ratio,
        tolerancePct: 0.1,
        ...derived,
      }),
      row({
        name: 'throughput_break_even',
        label: { en: 'Output per machine that breaks even, were they 4,000', zh: '若为 4000 台，单机盈亏平衡吞吐' },
        unit: 'tok/s',
        expected: 1628,
        computed: perMachineBreakEven,
        tolerancePct: 0.1,
        ...doubtful,
      }),
      row({
        name: 'utilisation_break_even',
        label: { en: "The same as a share of DeepSeek's H800 throughput", zh: '折合 DeepSeek H800 吞吐的比例' },
        unit: '%',
        expected: 19,
        computed: (perMachineBreakEven / FLEET_PER_NODE) * 100,
        tolerancePct: 0.5,
        ...doubtful,
      }),
      row({
        name: 'over_provision_break_even',
        label: {
          en: 'Over-provisioning that the machines of 270 M allow over DeepSeek efficiency',
          zh: '2.7 亿元相当于 DeepSeek 效率成本的倍数',
        },
        unit: '×',
        expected: 24.1,
        computed: CLAIM.amdMachinesM / month.costM,
        tolerancePct: 0.5,
        ...derived,
      }),
    ],
    findings: [
      {
        en: 'Cheaper machines halve the loss and leave the cause: the claim needs 5.6 times the utilisation it supposes, whatever the maker.',
        zh: '更便宜的机器只把亏损减半，原因未变：无论哪家芯片，都需要把隐含利用率提高 5.6 倍才能打平。',
      },
    ],
  };
}
