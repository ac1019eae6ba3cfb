// The named cases: published figures against what the planner computes from their inputs. They know the data files and the planner;
// nothing in the planner knows them.
import { BadInput } from '../bad-input.ts';
import type { CaseResult } from '../case-result.ts';
import { deepseekDay } from './deepseek-day.ts';
import { inferencex } from './inferencex.ts';
import { infersim } from './infersim.ts';
import { mooncake } from './mooncake.ts';
import { r1SixteenYuan, r1SixteenYuanAmd } from './r1-dispute.ts';
import { wechatH20 } from './wechat-h20.ts';

const CASES: Readonly<Record<string, () => CaseResult>> = {
  'deepseek-day': deepseekDay,
  'r1-16-yuan': r1SixteenYuan,
  'r1-16-yuan-amd': r1SixteenYuanAmd,
  'wechat-h20': wechatH20,
  infersim,
  inferencex,
  mooncake,
};

export const CASE_NAMES: readonly string[] = Object.keys(CASES);

/** Computes a case. Throws {@link BadInput} for an unknown name. */
export function runCase(name: string): CaseResult {
  const run = Object.hasOwn(CASES, name) ? CASES[name] : undefined;
  if (!run)
    throw new BadInput(
      'case',
      `unknown case "${name}"; known are ${CASE_NAMES.join(', ')}`,
      `未知案例“${name}”，可用 ${CASE_NAMES.join('、')}`,
    );
  return run();
}
