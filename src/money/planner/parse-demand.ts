import { BadInput } from './bad-input.ts';
import { stretch } from './day-profile.ts';
import { findProfile } from './lookup.ts';
import type { Demand } from './scenario.ts';
import type { Section } from './section.ts';

const KEYS = [
  'output',
  'input',
  'inputPerOutput',
  'users',
  'activity',
  'speed',
  'cached',
  'requestInput',
  'requestOutput',
  'profile',
  'peak',
  'utcOffset',
  'arrivalVariation',
  'lengthVariation',
] as const;

/** Tokens per second from users × the share of them that is generating at once × the speed each reads at. */
function fromUsers(section: Section, interactivity: number): number {
  const users = section.quantity('users', 'users') ?? 0;
  const activity = section.quantity('activity', 'ratio');
  if (activity === undefined) {
    throw new BadInput(
      'demand.activity',
      'is missing; write the share of users that is generating at the same moment, such as "7 %"',
      '缺失；请写同一时刻正在生成的用户比例，例如“7 %”',
    );
  }
  return users * activity * (section.quantity('speed', 'speed') ?? interactivity);
}

/** Stretches a profile of mean 1 until its busiest hour is `peak` times the mean. */
function toPeak(profile: readonly number[], peak: number | undefined): readonly number[] {
  if (peak === undefined) return profile;
  const most = Math.max(...profile);
  if (peak < 1)
    throw new BadInput(
      'demand.peak',
      `${peak} is below the mean; write the busiest hour over the mean, such as 1.5`,
      `${peak} 低于平均值；请写最忙时段与平均值之比，例如 1.5`,
    );
  if (most <= 1 && peak > 1)
    throw new BadInput(
      'demand.peak',
      'needs a profile that varies, such as profile: consumer-cn',
      '需要有起伏的曲线，例如 profile: consumer-cn',
    );
  return most <= 1 ? profile : stretch(profile, (peak - 1) / (most - 1));
}

function parseProfile(section: Section): { profile: readonly number[]; utcOffsetHours: number } {
  const own = section.numbers('profile');
  const named = own ? undefined : findProfile('demand.profile', section.text('profile') ?? 'flat');
  const hours = own ?? named?.hours ?? [];
  if (hours.length !== 24)
    throw new BadInput(
      'demand.profile',
      `has ${hours.length} hours; write 24 numbers, or the name of a profile`,
      `有 ${hours.length} 个小时；请写 24 个数，或一个曲线名称`,
    );
  const sum = hours.reduce((total, hour) => total + hour, 0);
  if (sum <= 0) throw new BadInput('demand.profile', 'is zero all day', '全天为零');
  return {
    profile: toPeak(
      hours.map(hour => (hour * 24) / sum),
      section.quantity('peak', 'factor'),
    ),
    utcOffsetHours: section.count('utcOffset', named?.utcOffsetHours ?? 8, { min: -12, max: 14 }),
  };
}

/** Reads `demand:`. Output comes as tokens per time or as users × activity × speed; input as tokens per time or per output token. */
export function parseDemand(top: Section, interactivity: number): Demand {
  const section = top.section('demand', KEYS);
  if (!section)
    throw new BadInput(
      'demand',
      'is missing; write output: such as "100 Gtok/day", or users: and activity:',
      '缺失；请写 output:，例如“100 Gtok/day”，或写 users: 与 activity:',
    );
  if (section.has('output') && section.has('users'))
    throw new BadInput(
      'demand.users',
      'contradicts demand.output; write one of them',
      '与 demand.output 冲突，只能写其中一个',
    );
  if (!section.has('users'))
    section.without(['activity', 'speed'], { en: 'without demand.users', zh: '没有 demand.users 时' });
  if (section.has('input'))
    section.without(['inputPerOutput'], { en: 'beside demand.input', zh: '写了 demand.input 时' });
  const outputPerSecond = section.has('users')
    ? fromUsers(section, interactivity)
    : section.quantity('output', 'tokenRate');
  if (!outputPerSecond)
    throw new BadInput(
      'demand.output',
      'is missing or zero; write tokens per time, such as "100 Gtok/day"',
      '缺失或为零；请写单位时间词元数，例如“100 Gtok/day”',
    );
  const requestInput = section.quantity('requestInput', 'tokens') ?? 4096;
  const requestOutput = section.quantity('requestOutput', 'tokens') ?? 1024;
  if (requestInput < 1 || requestOutput < 1)
    throw new BadInput(
      'demand.requestInput',
      'a request has at least one token in and one out',
      '一次请求至少有一个输入词元和一个输出词元',
    );
  const inputPerSecond = section.quantity('input', 'tokenRate');
  return {
    outputPerSecond,
    inputPerOutput:
      inputPerSecond === undefined
        ? (section.quantity('inputPerOutput', 'factor') ?? requestInput / requestOutput)
        : inputPerSecond / outputPerSecond,
    cachedShare: section.quantity('cached', 'ratio') ?? 0,
    requestInput,
    requestOutput,
    ...parseProfile(section),
    arrivalVariation: section.count('arrivalVariation', 1, { min: 0, max: 100 }),
    lengthVariation: section.count('lengthVariation', 1, { min: 0, max: 100 }),
  };
}
