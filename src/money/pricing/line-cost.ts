import type { MeterId, Nano } from '@millrace/contract/words';
import type { ConditionCheck } from './conditions.ts';
import type { PriceRule, RuleBook } from './rule-book.ts';

/** The rule that gives a meter's price: of those that hold the first. Undefined where none does. */
export function ruleFor(book: RuleBook, meter: MeterId, check: ConditionCheck): PriceRule | undefined {
  const rules = book.rules.get(meter);
  if (rules === undefined) return undefined;
  for (const rule of rules) if (check.verdict(rule.when) === 'yes') return rule;
  return undefined;
}

/** What is charged of so many units: less what is free, in whole blocks, and not under the least. */
export function chargedUnits(units: number, { free, least, block }: PriceRule): number {
  if (units <= free) return 0;
  const charged = Math.max(units - free, least);
  return block === 1 ? charged : Math.ceil(charged / block) * block;
}

/** Millionths of a nano for so many units, step by step; grows with them. */
export function stepMillionths(units: number, { nanoPerMillion, steps }: PriceRule): bigint {
  if (steps.length === 0) return BigInt(units) * nanoPerMillion;
  let millionths = 0n;
  let below = 0;
  for (const step of steps) {
    if (units <= below) return millionths;
    millionths += BigInt(Math.min(units, step.upTo) - below) * step.nanoPerMillion;
    below = step.upTo;
  }
  return units <= below ? millionths : millionths + BigInt(units - below) * nanoPerMillion;
}

/** The dearest that one unit can cost by a rule, in nano per million. */
export function dearestNano({ nanoPerMillion, steps }: PriceRule): Nano {
  let dearest = nanoPerMillion;
  for (const step of steps) if (step.nanoPerMillion > dearest) dearest = step.nanoPerMillion;
  return dearest;
}
