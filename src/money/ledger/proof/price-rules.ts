import { METERS, type MeterId, type Nano } from '@millrace/contract/words';
import { findCalendar } from '../../pricing/index.ts';

// Written apart from pricing on purpose, and in another way: it reads what was kept by itself, asks the runtime for local times,
// and hands units out by a list of claims, all in bigint. Two ways to one figure, so that a slip in one of them shows (I8).

/** What a request was, as far as a price may depend on it. */
export interface ProvenRequest {
  /** Of any meter that was used. */
  readonly units: ReadonlyMap<MeterId, bigint>;
  readonly startMs: number;
  readonly endMs: number;
  readonly serviceClass?: string | undefined;
  readonly attributes?: ReadonlyMap<string, string> | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

interface Rule {
  readonly meter: string;
  readonly fields: Fields;
  readonly when: Fields | undefined;
}

/** Prices by rules, as their stored content says. */
export interface RuleFigures {
  readonly rules: readonly Rule[];
  readonly rounding: string;
  readonly roundTo: bigint;
  readonly minimum: bigint;
  readonly atEnd: boolean;
  /** Clocks of the places that the rules name. */
  readonly clocks: ReadonlyMap<string, Intl.DateTimeFormat>;
}

/** Throws where the content is not of this form. */
export function readRuleFigures(content: Fields): RuleFigures {
  const rules = list(content['rules']).map(item => {
    const fields = record(item);
    return {
      meter: text(fields['meter']),
      fields,
      when: fields['when'] === undefined ? undefined : record(fields['when']),
    };
  });
  const zones = new Set(rules.flatMap(({ when }) => (when?.['zone'] === undefined ? [] : text(when['zone']))));
  return {
    rules,
    clocks: new Map([...zones].map(zone => [zone, clockOf(zone)])),
    rounding: text(content['rounding']),
    roundTo: BigInt(text(content['roundTo'])),
    minimum: BigInt(text(content['minimum'])),
    atEnd: text(content['pricedAt']) === 'end',
  };
}

/** Innermost parts first; each with itself and all that it is part of. */
const CHAINS: readonly (readonly MeterId[])[] = METERS.map(meter => {
  const chain: MeterId[] = [];
  for (let id: string | undefined = meter.id; id !== undefined; ) {
    const row = METERS.find(each => each.id === id);
    if (!row) break;
    chain.push(row.id);
    id = 'partOf' in row ? row.partOf : undefined;
  }
  return chain;
});
const POST_ORDER = postOrder();

function postOrder(): readonly (readonly MeterId[])[] {
  const visit = (id: MeterId): (readonly MeterId[])[] => {
    const inner = METERS.filter(each => 'partOf' in each && each.partOf === id).flatMap(part => visit(part.id));
    return [...inner, ...CHAINS.filter(([own]) => own === id)];
  };
  return METERS.filter(each => !('partOf' in each)).flatMap(each => visit(each.id));
}

/** What a request costs by these rules. */
export function amountByRules(price: RuleFigures, request: ProvenRequest): Nano {
  const left = new Map(request.units);
  let sum = 0n;
  for (const chain of POST_ORDER) {
    const rule = price.rules.find(each => each.meter === chain[0] && holds(each.when, price, request));
    if (!rule) continue;
    const claim = chain.map(meter => left.get(meter) ?? 0n).reduce((least, units) => (units < least ? units : least));
    for (const meter of chain) left.set(meter, (left.get(meter) ?? 0n) - claim);
    sum += lineOf(claim, rule.fields, price);
  }
  const used = [...request.units.values()].some(units => units > 0n);
  return used && sum < price.minimum ? price.minimum : sum;
}

function lineOf(claim: bigint, fields: Fields, { rounding, roundTo }: RuleFigures): Nano {
  const afterFree = claim - count(fields['free'], 0n);
  if (afterFree <= 0n) return 0n;
  const least = count(fields['least'], 1n);
  const block = count(fields['block'], 1n);
  const charged = (((afterFree < least ? least : afterFree) + block - 1n) / block) * block;
  // Each step is a stretch of units [from, to) at its price; what lies beyond all of them has the last.
  const steps = list(fields['steps'] ?? []).map(step => list(step));
  const ends = steps.map(([upTo]) => count(upTo, 0n));
  const prices = [...steps.map(([, of]) => BigInt(text(of))), BigInt(text(fields['price']))];
  const millionths = prices.reduce((total, of, index) => {
    const from = ends[index - 1] ?? 0n;
    const to = ends[index] ?? (charged > from ? charged : from);
    const within = (charged < to ? charged : to) - from;
    return within > 0n ? total + within * of : total;
  }, 0n);
  return roundTo * rounded(millionths, 1_000_000n * roundTo, rounding);
}

function rounded(dividend: bigint, divisor: bigint, rule: string): bigint {
  switch (rule) {
    case 'floor':
      return (dividend - (dividend % divisor)) / divisor;
    case 'ceil':
      return (dividend + divisor - 1n) / divisor;
    case 'half-up':
      return (2n * dividend + divisor) / (2n * divisor);
    case 'half-even': {
      const up = (2n * dividend + divisor) / (2n * divisor);
      const isTie = (2n * dividend + divisor) % (2n * divisor) === 0n;
      return isTie && up % 2n === 1n ? up - 1n : up;
    }
    default:
      throw new TypeError(`there is no rounding ${rule}`);
  }
}

function holds(when: Fields | undefined, { atEnd, clocks }: RuleFigures, request: ProvenRequest): boolean {
  if (when === undefined) return true;
  const atMs = atEnd ? request.endMs : request.startMs;
  const length = request.units.get('input') ?? 0n;
  return Object.entries(when).every(([name, value]) => {
    switch (name) {
      case 'inputAbove':
        return length > count(value, 0n);
      case 'inputUpTo':
        return length <= count(value, 0n);
      case 'serviceClasses':
        return list(value).includes(request.serviceClass ?? 'standard');
      case 'attributes':
        return list(value)
          .map(list)
          .every(([attribute, values]) => {
            const given = request.attributes?.get(text(attribute));
            return given !== undefined && list(values).includes(given);
          });
      case 'fromMs':
        return BigInt(atMs) >= count(value, 0n);
      case 'untilMs':
        return BigInt(atMs) < count(value, 0n);
      case 'zone':
        return holdsThere(when, localTime(clocks.get(text(value)), atMs));
      case 'hours':
      case 'weekdays':
      case 'calendar':
      case 'holidays':
        return true;
      default:
        throw new TypeError(`there is no condition ${name}`);
    }
  });
}

interface LocalTime {
  readonly minute: number;
  readonly weekday: number;
  /** Of its calendar day, at midnight UTC. */
  readonly dayMs: number;
}

function holdsThere(when: Fields, { minute, weekday, dayMs }: LocalTime): boolean {
  const { hours, weekdays, calendar, holidays } = when;
  if (hours !== undefined) {
    const within = list(hours)
      .map(list)
      .some(([first, end]) => typeof first === 'number' && typeof end === 'number' && first <= minute && minute < end);
    if (!within) return false;
  }
  if (typeof weekdays === 'number' && Math.floor(weekdays / 2 ** weekday) % 2 === 0) return false;
  if (calendar === undefined) return true;
  const isHoliday = findCalendar(text(calendar))?.days.has(dayMs / 86_400_000) === true;
  return isHoliday ? holidays === 'only' : holidays === 'except';
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const number = '2-digit';
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    year: 'numeric',
    month: number,
    day: number,
    hour: number,
    minute: number,
    hourCycle: 'h23',
  });
}

function localTime(clock: Intl.DateTimeFormat | undefined, atMs: number): LocalTime {
  const parts = new Map(clock?.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? Number.NaN;
  const dayMs = Date.UTC(part('year'), part('month') - 1, part('day'));
  return { minute: part('hour') * 60 + part('minute'), weekday: new Date(dayMs).getUTCDay(), dayMs };
}

function record(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new TypeError('a group of fields is missing');
  return { ...value };
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('a list is missing');
  return value;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('a text is missing');
  return value;
}

function count(value: unknown, absent: bigint): bigint {
  if (value === undefined) return absent;
  if (typeof value !== 'number') throw new TypeError('a count is missing');
  return BigInt(value);
}
