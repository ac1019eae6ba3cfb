/** Stretches the day's profile around its mean: 0 is flat, 1 as it is. No hour falls below zero; the mean stays 1. */
export function stretch(profile: readonly number[], factor: number): readonly number[] {
  const stretched = profile.map(value => Math.max(0, 1 + (value - 1) * factor));
  const sum = stretched.reduce((total, value) => total + value, 0);
  return stretched.map(value => (value * profile.length) / sum);
}
