import type { Clock } from '../../ground/std/index.ts';
import type { Valkey } from './valkey.ts';

const MINUTE_US = 60_000_000;
/** A node that is gone keeps the places of a key so long. */
const PLACES_MS = 15_000;

export interface RateTake {
  /** Of a key and what is counted of it. */
  readonly name: string;
  /** Fewer are of no use; negative gives back, together with `want`. */
  readonly least: number;
  readonly want: number;
  readonly perMinute: number;
}

export interface RateGrant {
  readonly granted: number;
  /** What is left for all nodes. */
  readonly remaining: number;
  readonly retryAfterMs: number;
}

/** Of a key's places: in Valkey, and in the news of who is short of them. */
export const placesName = (keyId: string) => `places:${keyId}`;

/** Where nodes get their shares of the limits of keys from. */
export interface LimitSource {
  take(take: RateTake): Promise<RateGrant>;
  /** Asks to have `want` places of a key in all; returns how many this node has now. */
  places(keyId: string, want: number, limit: number): Promise<number>;
}

/**
 * GCRA (ITU-T I.371) by Valkey's clock, as on a node alone, but that nodes take several at once. The key holds the theoretical
 * arrival time in µs. Numbers are written with %.0f: Lua would write them with an exponent.
 */
const TAKE = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local least, want, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local can = math.floor((now + ${MINUTE_US} - due) / cost)
local granted = 0
if want < 0 then granted = want
elseif can >= least then granted = math.min(want, can)
elseif least * cost > ${MINUTE_US} and due <= now then granted = least end
local over = due + least * cost - now - ${MINUTE_US}
if granted ~= 0 then
  due = math.max(now, due + granted * cost)
  redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', string.format('%.0f', math.ceil((due - now) / 1000) + 1000))
end
local left = math.max(0, math.floor((now + ${MINUTE_US} - due) / cost))
return { granted, left, math.max(0, math.ceil(math.min(over, due - now + 1) / 1000)) }`;

/** A hash of node → "places:until": those of a node that is gone are free again. */
const PLACES = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local node, want, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local all = redis.call('HGETALL', KEYS[1])
local others = 0
for i = 1, #all, 2 do
  local count, till = string.match(all[i + 1], '^(%d+):(%d+)$')
  if not till or tonumber(till) < now then redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= node then others = others + tonumber(count) end
end
local has = math.max(0, math.min(want, limit - others))
if has == 0 then redis.call('HDEL', KEYS[1], node)
else redis.call('HSET', KEYS[1], node, string.format('%.0f:%.0f', has, now + ${PLACES_MS})) end
redis.call('PEXPIRE', KEYS[1], ${2 * PLACES_MS})
return { has }`;

/** Shares from Valkey; where it is away, the limit divided by the nodes that were seen last. */
export function createLimitSource({
  valkey,
  nodeId,
  nodes,
  clock,
}: {
  readonly valkey: Valkey;
  readonly nodeId: string;
  readonly nodes: () => number;
  readonly clock: Clock;
}): LimitSource {
  const own = createOwnRates(clock);
  return {
    async take(take) {
      const costUs = MINUTE_US / take.perMinute;
      const answer = await valkey.run(TAKE, `rate:${take.name}`, [take.least, take.want, costUs]);
      const [granted, remaining, retryAfterMs] = answer ?? [];
      if (granted !== undefined && remaining !== undefined && retryAfterMs !== undefined)
        return { granted, remaining, retryAfterMs };
      return own({ ...take, perMinute: take.perMinute / nodes() });
    },
    async places(keyId, want, limit) {
      const [has] = (await valkey.run(PLACES, placesName(keyId), [nodeId, want, limit])) ?? [];
      // One for each node: less would refuse all.
      return has ?? Math.min(want, Math.max(1, Math.floor(limit / nodes())));
    },
  };
}

/** The same reckoning as {@link TAKE} on this node. */
function createOwnRates(clock: Clock): (take: RateTake) => RateGrant {
  const dues = new Map<string, number>();
  return ({ name, least, want, perMinute }) => {
    const nowUs = clock.monotonicMs() * 1_000;
    const costUs = MINUTE_US / perMinute;
    const seen = Math.max(dues.get(name) ?? 0, nowUs);
    const can = Math.floor((nowUs + MINUTE_US - seen) / costUs);
    let granted = 0;
    if (want < 0) granted = want;
    else if (can >= least) granted = Math.min(want, can);
    else if (least * costUs > MINUTE_US && seen <= nowUs) granted = least;
    const overUs = seen + least * costUs - nowUs - MINUTE_US;
    const due = Math.max(nowUs, seen + granted * costUs);
    dues.set(name, due);
    return {
      granted,
      remaining: Math.max(0, Math.floor((nowUs + MINUTE_US - due) / costUs)),
      retryAfterMs: Math.max(0, Math.ceil(Math.min(overUs, due - nowUs + 1) / 1_000)),
    };
  };
}
