import type { DeploymentGauge, DeploymentSlots } from '../../ground/std/index.ts';
import type { Deployment } from '../../models/catalog/index.ts';
import { calibrationOf, type Learnt, learn } from '../../money/metering/index.ts';
import { recordSuccess } from '../../serving/routing/index.ts';
import type { Counting, Meter } from './meter.ts';

/** Where what was learnt of a deployment stands: in the counters that all threads of the node share. */
const GAUGES = {
  samples: 'countSamples',
  perText: 'countPerText',
  textSpread: 'countTextSpread',
  perPiece: 'countPerPiece',
  pieceSpread: 'countPieceSpread',
} as const satisfies Record<keyof Learnt, DeploymentGauge>;

/** Of hidden thinking the longest is remembered, and forgotten at this rate. */
const HIDDEN_KEPT = 7 / 8;
const HIDDEN_MAX = 1_000_000;

function learntOf(slots: DeploymentSlots, slot: number): Learnt {
  return {
    samples: slots.get(slot, GAUGES.samples),
    perText: slots.get(slot, GAUGES.perText),
    textSpread: slots.get(slot, GAUGES.textSpread),
    perPiece: slots.get(slot, GAUGES.perPiece),
    pieceSpread: slots.get(slot, GAUGES.pieceSpread),
  };
}

/** How a deployment counts, by what is known of its vendor and what it has reported so far. */
export function countingOf({ slot, upstream }: Deployment, slots: DeploymentSlots): Counting {
  return {
    calibration: calibrationOf(learntOf(slots, slot)),
    thinkingInTotal: upstream.quirks.includes('thinking-in-total'),
  };
}

/** An answer came to its end: of health, and of how its vendor counts. */
export function recordAnswer(
  meter: Meter,
  deployment: Deployment | undefined,
  { slots, ttftMs }: { readonly slots: DeploymentSlots; readonly ttftMs: number | undefined },
): void {
  meter.seeEnd();
  if (!deployment) return;
  learnFrom(meter, deployment, slots);
  recordSuccess(deployment, slots, ttftMs);
}

/** Takes in what a whole answer teaches. Two threads at once may lose one of two lessons, which is no harm. */
function learnFrom(meter: Meter, { slot }: Deployment, slots: DeploymentSlots): void {
  const sample = meter.sample();
  if (!sample) return;
  const hidden = Math.max(meter.hidden(), Math.floor(slots.get(slot, 'hiddenTokens') * HIDDEN_KEPT));
  slots.set(slot, 'hiddenTokens', Math.min(HIDDEN_MAX, hidden));
  const known = learntOf(slots, slot);
  const next = learn(known, sample);
  if (next === known) return;
  slots.set(slot, GAUGES.samples, next.samples);
  slots.set(slot, GAUGES.perText, next.perText);
  slots.set(slot, GAUGES.textSpread, next.textSpread);
  slots.set(slot, GAUGES.perPiece, next.perPiece);
  slots.set(slot, GAUGES.pieceSpread, next.pieceSpread);
}
