import { METERS, type MeterCount, type MeterId, UNITS_MAX, type UsageVector, WHOLES } from '@millrace/contract/words';
import { Fault } from '../../ground/std/index.ts';

/** How many units of a meter were used. */
export function unitsOf(usage: UsageVector, meter: MeterId): number {
  switch (meter) {
    case 'input':
      return usage.inputTokens;
    case 'cachedInput':
      return usage.cachedInputTokens;
    case 'output':
      return usage.outputTokens;
    case 'reasoning':
      return usage.reasoningTokens;
    default:
      if (usage.more !== undefined) for (const count of usage.more) if (count.meter === meter) return count.units;
      return 0;
  }
}

/** Meters that stand in the list of a vector, in its order. */
const LISTED: readonly MeterId[] = METERS.map(({ id }) => id).filter(
  id => id !== 'input' && id !== 'cachedInput' && id !== 'output' && id !== 'reasoning',
);
const PLACES: ReadonlyMap<MeterId, number> = new Map(LISTED.map((id, place) => [id, place]));

/** Parts that do not overlap: those of one whole along one axis. Together they are at most the whole. */
interface Division {
  readonly whole: MeterId;
  readonly parts: readonly MeterId[];
}

const DIVISIONS: readonly Division[] = METERS.flatMap(whole => {
  const parts = METERS.filter(part => 'partOf' in part && part.partOf === whole.id);
  const byAxis = Map.groupBy(parts, part => ('axis' in part ? part.axis : undefined));
  return [...byAxis.values()].map(group => ({ whole: whole.id, parts: group.map(({ id }) => id) }));
});
const DIVISION_OF: ReadonlyMap<MeterId, Division> = new Map(
  DIVISIONS.flatMap(division => division.parts.map(part => [part, division] as const)),
);

const WHOLE_IDS: ReadonlySet<MeterId> = new Set(WHOLES.map(({ id }) => id));

/** Whether a meter is part of no other. */
export function isWhole(meter: MeterId): boolean {
  return WHOLE_IDS.has(meter);
}

/**
 * Throws Fault `upstream_error` where a count is not an integer within 0…1e9, or parts exceed their whole: refused, never taken
 * for zero.
 */
export function checkUsage(usage: UsageVector): void {
  const { inputTokens, cachedInputTokens, outputTokens, reasoningTokens, more } = usage;
  checkUnits('input', inputTokens);
  checkUnits('cachedInput', cachedInputTokens);
  checkUnits('output', outputTokens);
  checkUnits('reasoning', reasoningTokens);
  if (cachedInputTokens > inputTokens) throw badUnits('cachedInput', cachedInputTokens);
  if (reasoningTokens > outputTokens) throw badUnits('reasoning', reasoningTokens);
  if (more !== undefined) checkMore(usage, more);
}

function checkMore(usage: UsageVector, more: readonly MeterCount[]): void {
  let last = -1;
  let checked: Division | undefined;
  for (const { meter, units } of more) {
    checkUnits(meter, units);
    const place = PLACES.get(meter) ?? -1;
    if (units === 0 || place <= last) throw badUnits(meter, units);
    last = place;
    // Parts of one whole stand together, so each is looked at once.
    const division = DIVISION_OF.get(meter);
    if (division === undefined || division === checked) continue;
    checked = division;
    let sum = 0;
    for (const part of division.parts) sum += unitsOf(usage, part);
    if (sum > unitsOf(usage, division.whole)) throw badUnits(division.whole, sum);
  }
}

export function checkUnits(meter: MeterId, units: number): void {
  if (!Number.isSafeInteger(units) || units < 0 || units > UNITS_MAX) throw badUnits(meter, units);
}

function badUnits(meter: MeterId, units: number): Fault {
  return new Fault('upstream_error', { internal: `units of ${meter} out of range: ${units}` });
}

/** Whether nothing at all was used: that costs nothing, whatever the price. */
export function isNothing({ inputTokens, outputTokens, more }: UsageVector): boolean {
  return inputTokens === 0 && outputTokens === 0 && (more === undefined || more.length === 0);
}

/** Several reports of one answer: each count at its largest, never overwritten by a smaller one. */
export function mergeUsage(a: UsageVector, b: UsageVector): UsageVector {
  const usage: UsageVector = {
    inputTokens: Math.max(a.inputTokens, b.inputTokens),
    cachedInputTokens: Math.max(a.cachedInputTokens, b.cachedInputTokens),
    outputTokens: Math.max(a.outputTokens, b.outputTokens),
    reasoningTokens: Math.max(a.reasoningTokens, b.reasoningTokens),
  };
  if (a.more === undefined && b.more === undefined) return usage;
  const more = LISTED.map(meter => ({ meter, units: Math.max(unitsOf(a, meter), unitsOf(b, meter)) }));
  return { ...usage, more: more.filter(({ units }) => units > 0) };
}
