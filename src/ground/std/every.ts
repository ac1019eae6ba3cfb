/** Calls again and again until it is stopped; what it calls must not throw. Given to pure rooms, which wait for nothing themselves. */
export function every(ms: number, look: () => void): { stop(): void } {
  const timer = setInterval(look, ms);
  return { stop: () => clearInterval(timer) };
}
