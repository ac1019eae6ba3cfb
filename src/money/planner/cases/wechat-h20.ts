import { type CaseResult, type CaseRow, fill, row } from '../case-result.ts';
import { WECHAT } from '../data/case-facts.ts';
import { EVERYONE_ROWS, MEASURED_ROWS } from '../data/fleet-rows.ts';
import { planFleet } from '../fleet.ts';
import { shippedScenario } from './load.ts';

const GPUS_PER_NODE = 8;
const CLAIMS = [
  { users: 50e6, gpus: 100_000, expectedPct: 7.1 },
  { users: 100e6, gpus: 200_000, expectedPct: 7.1 },
  { users: 100e6, gpus: 100_000, expectedPct: 3.6 },
] as const;

function fleetFor(users: number, activityPct: number): number {
  const demand = { users: `${users} user`, activity: `${activityPct} %`, speed: '20 tok/s', inputPerOutput: 0 };
  return planFleet(shippedScenario('wechat-h20', { demand })).gpusRented;
}

const PER_GPU = WECHAT.decodePerNode / GPUS_PER_NODE;
const STREAMS = PER_GPU / WECHAT.speed;
const claim = { source: WECHAT.claim, status: 'unverified' } as const;

/** The share of users generating at once that a claim supposes without saying so. */
const activityPct = ({ users, gpus }: (typeof CLAIMS)[number]): number => (STREAMS / (users / gpus)) * 100;

function activityRow(one: (typeof CLAIMS)[number]): CaseRow {
  const { users, gpus, expectedPct } = one;
  return row({
    name: `activity_${users / 1e6}m_${gpus / 1000}k`,
    label: {
      en: `Share generating at once: ${users / 1e6} M users, ${gpus / 1000} k H20`,
      zh: `同时生成的比例：${users / 1e4} 万用户，${gpus / 1e4} 万张 H20`,
    },
    unit: '%',
    expected: expectedPct,
    computed: activityPct(one),
    tolerancePct: 1.5,
    ...claim,
  });
}

function fleetRow(one: (typeof CLAIMS)[number]): CaseRow {
  const share = activityPct(one);
  return row({
    name: `gpus_${one.users / 1e6}m_at_${share.toFixed(1)}pct`,
    label: {
      en: `H20 for ${one.users / 1e6} M users, ${share.toFixed(1)} % generating`,
      zh: `${one.users / 1e4} 万用户、${share.toFixed(1)}% 正在生成时所需 H20`,
    },
    unit: 'GPUs',
    expected: one.gpus,
    computed: fleetFor(one.users, share),
    tolerancePct: 0.1,
    ...claim,
  });
}

/** "100-200 thousand H20 for 50-100 million users at once", with the activity factor that it leaves unsaid. */
export function wechatH20(): CaseResult {
  return {
    id: 'wechat-h20',
    title: { en: '100-200 thousand H20 for 50-100 million users?', zh: '5000 万至 1 亿用户需要 10 万至 20 万张 H20？' },
    rows: [
      ...fill(MEASURED_ROWS, { tokens_per_second_per_gpu: PER_GPU, streams_per_gpu: STREAMS }),
      ...CLAIMS.map(activityRow),
      ...CLAIMS.map(fleetRow),
      ...fill(EVERYONE_ROWS, { gpus_if_all_generate: fleetFor(50e6, 100) }),
    ],
    findings: [
      {
        en: '"Simultaneous users" are not simultaneous generations: the claim holds if 3.6 to 7.1 % of those online generate at the same moment. That share is an input of the planner, never a default.',
        zh: '“同时在线”不等于“同时生成”：只有当 3.6% 至 7.1% 的在线用户同时在生成时，该说法才成立。这一比例是规划器的显式输入，没有默认值。',
      },
      {
        en: 'Prefill is left out, as in the claim; with prompts of 4,096 tokens and answers of 1,000 it adds 1.4 times as many GPUs again.',
        zh: '与原说法一样未计预填充；若提示为 4096 词元、回答为 1000 词元，还需再增加约 1.4 倍的卡。',
      },
    ],
  };
}
