import { type CaseResult, type CaseRow, fill } from '../case-result.ts';
import { CLAIM, DEEPSEEK_DAY as DAY } from '../data/case-facts.ts';
import { AMD_ROWS, BREAK_EVEN_ROWS, CLAIM_ROWS, FACTOR_ROWS } from '../data/dispute-rows.ts';
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

function claimRows({ outputRevenueM }: Month): readonly CaseRow[] {
  return fill(CLAIM_ROWS, {
    revenue_month_claimed: outputRevenueM,
    revenue_month_exact: outputRevenueM,
    result_month: outputRevenueM - CLAIM.machinesM,
  });
}

function breakEvenRows(month: Month): readonly CaseRow[] {
  const machineMonth = (CLAIM.machinesM * 1e6) / CLAIM.machines;
  const perMachine = CLAIM.outputPerDay / SECONDS_PER_DAY / CLAIM.machines;
  const breakEven = breakEvenTokensPerSecond(nano(machineMonth), OUTPUT_PRICE_NANO);
  return fill(BREAK_EVEN_ROWS, {
    machine_month: machineMonth,
    gpu_hour: machineMonth / (MONTH_DAYS * 24 * 8),
    throughput_claimed: perMachine,
    throughput_break_even: breakEven,
    throughput_deepseek: FLEET_PER_NODE,
    utilisation_break_even: (breakEven / FLEET_PER_NODE) * 100,
    utilisation_claimed: (perMachine / FLEET_PER_NODE) * 100,
    cost_month_at_deepseek: month.costM,
    over_provision_output_only: month.outputRevenueM / month.costM,
    over_provision_all: month.allRevenueM / month.costM,
    result_at_five_output_only: month.outputRevenueM - CLAIM.overProvision * month.costM,
    result_at_five_all: month.allRevenueM - CLAIM.overProvision * month.costM,
  });
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
  return fill(FACTOR_ROWS, {
    factor_total: total,
    factor_rent: rent,
    factor_head_room: headRoom,
    factor_speed: speed,
  });
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
    rows: fill(AMD_ROWS, {
      result_month: outputRevenueM - CLAIM.amdMachinesM,
      result_month_as_claimed: outputRevenueM - CLAIM.amdMachinesM,
      utilisation_rise_to_break_even: ratio,
      throughput_break_even: perMachineBreakEven,
      utilisation_break_even: (perMachineBreakEven / FLEET_PER_NODE) * 100,
      over_provision_break_even: CLAIM.amdMachinesM / month.costM,
    }),
    findings: [
      {
        en: 'Cheaper machines halve the loss and leave the cause: the claim needs 5.6 times the utilisation it supposes, whatever the maker.',
        zh: '更便宜的机器只把亏损减半，原因未变：无论哪家芯片，都需要把隐含利用率提高 5.6 倍才能打平。',
      },
    ],
  };
}
