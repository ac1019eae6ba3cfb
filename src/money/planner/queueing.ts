/** Standard normal density and distribution; the latter by Abramowitz & Stegun 26.2.17, |error| < 7.5e-8. */
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
function distribution(x: number): number {
  const t = 1 / (1 + 0.231_641_9 * Math.abs(x));
  const tail =
    density(x) *
    t *
    (0.319_381_53 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
  return x >= 0 ? 1 - tail : tail;
}

// Beyond this many servers the recursion is slow and the heavy-traffic limit is within 5 %.
const EXACT_SERVERS_MAX = 400;

/**
 * Chance that an arrival waits in M/M/c at `offered` erlangs. Erlang's C by his recursion for B; beyond 400 servers the
 * square-root limit of Halfin and Whitt (Operations Research 29:3, 1981). 1 where the load reaches the servers.
 */
export function waitChance(servers: number, offered: number): number {
  if (offered <= 0) return 0;
  if (offered >= servers) return 1;
  if (servers > EXACT_SERVERS_MAX) {
    const beta = (servers - offered) / Math.sqrt(offered);
    return 1 / (1 + (beta * distribution(beta)) / density(beta));
  }
  let blocked = 1;
  for (let server = 1; server <= Math.floor(servers); server++)
    blocked = (offered * blocked) / (server + offered * blocked);
  const load = offered / Math.max(1, Math.floor(servers));
  return load >= 1 ? 1 : blocked / (1 - load * (1 - blocked));
}

export interface Queue {
  readonly servers: number;
  readonly arrivalsPerSecond: number;
  readonly serviceSeconds: number;
  /** Squared coefficients of variation; 1 and 1 is M/M/c. */
  readonly arrivalVariation: number;
  readonly serviceVariation: number;
}

/**
 * Wait that a share `quantile` of arrivals stays below, in seconds; Infinity where the queue grows without end.
 * G/G/c by Allen and Cunneen: M/M/c's wait times (ca² + cs²) / 2, with an exponential tail.
 */
export function waitQuantile(queue: Queue, quantile: number): number {
  const offered = queue.arrivalsPerSecond * queue.serviceSeconds;
  if (queue.arrivalsPerSecond === 0) return 0;
  if (offered >= queue.servers) return Number.POSITIVE_INFINITY;
  const chance = waitChance(queue.servers, offered);
  if (chance <= 1 - quantile) return 0;
  const variation = (queue.arrivalVariation + queue.serviceVariation) / 2;
  return (Math.log(chance / (1 - quantile)) * variation * queue.serviceSeconds) / (queue.servers - offered);
}

/**
 * Units to own so that at least `needed` are up with probability `assurance`, each up with `availability` on its own.
 * Starts from the normal approximation and settles on the exact binomial tail up to 200 units, from where the two agree to one unit.
 */
export function unitsWithFailures(needed: number, availability: number, assurance: number): number {
  if (needed === 0 || availability >= 1) return needed;
  const score = normalQuantile(assurance);
  const spread = score * Math.sqrt(needed * (1 - availability));
  let owned = Math.max(needed, Math.ceil((needed + spread) / availability));
  if (needed > EXACT_UNITS_MAX) return owned;
  while (owned > needed && upChance(owned - 1, needed, availability) >= assurance) owned--;
  while (upChance(owned, needed, availability) < assurance) owned++;
  return owned;
}

const EXACT_UNITS_MAX = 200;

/** Inverse of the normal distribution by bisection; twenty-six halvings of [-8, 8] are finer than any input here. */
function normalQuantile(probability: number): number {
  let low = -8;
  let high = 8;
  for (let round = 0; round < 26; round++) {
    const middle = (low + high) / 2;
    if (distribution(middle) < probability) low = middle;
    else high = middle;
  }
  return high;
}

/** Chance that at least `needed` of `owned` are up, summed from the term with none broken. */
function upChance(owned: number, needed: number, availability: number): number {
  const down = 1 - availability;
  let term = owned * Math.log(availability);
  let sum = Math.exp(term);
  for (let broken = 1; broken <= owned - needed; broken++) {
    term += Math.log((owned - broken + 1) / broken) + Math.log(down / availability);
    sum += Math.exp(term);
  }
  return sum;
}
