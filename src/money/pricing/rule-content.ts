import type { Currency, MeterId, PriceAttribute } from '@millrace/contract/words';
import type { Rounding } from './rounding.ts';
import type { Condition, PriceRule, RuleBook, TimeCondition } from './rule-book.ts';
import { zoneTable } from './zones.ts';

/** A condition as it is hashed and kept: what is absent does not hold it back. Keys always in this order. */
export interface ConditionContent {
  readonly inputAbove?: number;
  readonly inputUpTo?: number;
  readonly serviceClasses?: readonly string[];
  readonly attributes?: readonly (readonly [PriceAttribute, readonly string[]])[];
  readonly zone?: string;
  readonly hours?: readonly (readonly [number, number])[];
  readonly weekdays?: number;
  readonly calendar?: string;
  readonly holidays?: 'except' | 'only';
  readonly fromMs?: number;
  readonly untilMs?: number;
}

export interface RuleContent {
  readonly meter: MeterId;
  /** Nano per million units, in digits, as all money here. */
  readonly price: string;
  readonly steps?: readonly (readonly [upTo: number, price: string])[];
  readonly free?: number;
  readonly least?: number;
  readonly block?: number;
  readonly when?: ConditionContent;
}

/** What is hashed and kept of prices by rules. */
export interface RulesContent {
  readonly grammar: 2;
  readonly of: string;
  readonly currency: Currency;
  readonly effectiveFromMs: number;
  readonly rounding: Rounding;
  readonly roundTo: string;
  readonly minimum: string;
  readonly pricedAt: 'start' | 'end';
  readonly rules: readonly RuleContent[];
}

/** The rules of a version in the form in which prices are looked up. */
export function bookOf(content: RulesContent): RuleBook {
  const zones = [...new Set(content.rules.flatMap(({ when }) => when?.zone ?? []))];
  const rules = new Map<MeterId, PriceRule[]>();
  for (const rule of content.rules) {
    const known = rules.get(rule.meter);
    const made = ruleOf(rule, zones);
    if (known) known.push(made);
    else rules.set(rule.meter, [made]);
  }
  const conditions = content.rules.flatMap(({ when }) => when ?? []);
  return {
    rules,
    roundToNano: BigInt(content.roundTo),
    minimumNano: BigInt(content.minimum),
    pricedAt: content.pricedAt,
    zones: zones.map(zone => zoneTable(zone, turnsOf(conditions.filter(when => when.zone === zone)))),
    moments: sorted(conditions.flatMap(({ fromMs, untilMs }) => [fromMs ?? [], untilMs ?? []].flat())),
    tiers: sorted(conditions.flatMap(({ inputAbove, inputUpTo }) => [inputAbove ?? [], inputUpTo ?? []].flat())),
  };
}

function ruleOf({ price, steps = [], free = 0, least = 0, block = 1, when }: RuleContent, zones: readonly string[]) {
  return {
    nanoPerMillion: BigInt(price),
    steps: steps.map(([upTo, of]) => ({ upTo, nanoPerMillion: BigInt(of) })),
    free,
    least,
    block,
    ...(when === undefined ? {} : { when: conditionOf(when, zones) }),
  };
}

function conditionOf(content: ConditionContent, zones: readonly string[]): Condition {
  const { zone, hours, weekdays, calendar, holidays, ...rest } = content;
  if (zone === undefined) return rest;
  const time: TimeCondition = {
    zone: zones.indexOf(zone),
    hours: hours ?? [],
    weekdays: weekdays ?? ALL_WEEKDAYS,
    ...(calendar === undefined ? {} : { calendar }),
    ...(holidays === undefined ? {} : { holidays }),
  };
  return { ...rest, time };
}

export const ALL_WEEKDAYS = 0b1111111;

/** Midnight turns the day; an hour's end of 24:00 is that too. */
function turnsOf(conditions: readonly ConditionContent[]): readonly number[] {
  return sorted([0, ...conditions.flatMap(({ hours }) => hours?.flat() ?? [])].map(minute => minute % 1440));
}

const sorted = (numbers: readonly number[]): readonly number[] => [...new Set(numbers)].sort((a, b) => a - b);
