import type { Nano } from '@millrace/contract';
import { requireWithin } from './bad-input.ts';
import { roundHalfEven } from './rational.ts';

/** Nano-units per 1,000,000 tokens of a machine that costs `hourNano` per hour and gives `tokensPerSecond`. */
export function costPerMtok(hourNano: Nano, tokensPerSecond: number): Nano {
  requireWithin('tokens per second', tokensPerSecond, { min: 1e-6, max: 1e12 });
  const microTokens = BigInt(Math.round(tokensPerSecond * 1e6));
  return roundHalfEven({ numerator: hourNano * 1_000_000n * 1_000_000n, denominator: microTokens * 3600n });
}

/** Tokens per second at which a machine that costs `monthNano` per 30 days earns its cost at `mtokNano` per 1,000,000 tokens. */
export function breakEvenTokensPerSecond(monthNano: Nano, mtokNano: Nano): number {
  return (Number(monthNano) / Number(mtokNano)) * (1e6 / 2_592_000);
}
