import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import type { Clock } from './clock.ts';
import { Fault } from './fault.ts';

/** Where an outbound connection may go, decided before it is made. */
export type Destination =
  | { readonly kind: 'unix'; readonly path: string; readonly origin: 'http://localhost' }
  | {
      readonly kind: 'tcp';
      readonly origin: string;
      readonly hostname: string;
      readonly addresses: readonly CheckedAddress[];
    };

export interface CheckedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export type Resolve = (hostname: string) => Promise<readonly CheckedAddress[]>;

/** The one place that decides about outbound URLs. */
export interface Egress {
  /**
   * Parses the URL, resolves its host, and checks every address. The caller connects to one of the addresses returned, never
   * to the name, so that a second lookup cannot lead elsewhere (rebinding). Throws Fault `unavailable`.
   */
  resolve(url: string, options: { readonly allowPrivateNetwork: boolean }): Promise<Destination>;
}

const CACHE_MS = 30_000;
const CACHE_MAX = 1_000;

export function createEgress({
  clock,
  resolve = resolveBySystem,
}: {
  readonly clock: Clock;
  readonly resolve?: Resolve;
}): Egress {
  const cache = new Map<string, { readonly addresses: readonly CheckedAddress[]; readonly untilMs: number }>();
  const addressesOf = async (hostname: string): Promise<readonly CheckedAddress[]> => {
    const family = isIP(hostname);
    if (family === 4 || family === 6) return [{ address: hostname, family }];
    const known = cache.get(hostname);
    if (known && known.untilMs > clock.monotonicMs()) return known.addresses;
    try {
      const addresses = await resolve(hostname);
      if (cache.size >= CACHE_MAX) cache.clear();
      cache.set(hostname, { addresses, untilMs: clock.monotonicMs() + CACHE_MS });
      return addresses;
    } catch (cause) {
      // A resolver that is down for a moment must not stop what worked a minute ago; the old addresses were checked.
      if (known) return known.addresses;
      throw new Fault('unavailable', { internal: `the host ${hostname} has no address`, retryAfterMs: 2_000, cause });
    }
  };
  return {
    async resolve(url, { allowPrivateNetwork }) {
      const unix = /^unix:([^:]+)(?::\/.*)?$/.exec(url)?.[1];
      if (unix !== undefined) return { kind: 'unix', path: unix, origin: 'http://localhost' };
      const parsed = URL.parse(url);
      if (
        !parsed ||
        (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') ||
        parsed.username !== '' ||
        parsed.password !== ''
      )
        throw refused('the address is no plain http(s) URL');
      const hostname = parsed.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
      const addresses = await addressesOf(hostname);
      for (const { address } of addresses) {
        const kind = addressKind(address);
        if (kind === 'never' || (kind === 'private' && !allowPrivateNetwork))
          throw refused(
            `${hostname} leads to ${address}, which is ${kind === 'never' ? 'never allowed' : 'a private address, and this provider has no allowPrivateNetwork'}`,
          );
      }
      if (addresses.length === 0) throw refused(`the host ${hostname} has no address`);
      return { kind: 'tcp', origin: parsed.origin, hostname, addresses };
    },
  };
}

async function resolveBySystem(hostname: string): Promise<readonly CheckedAddress[]> {
  const found = await systemLookup(hostname, { all: true, order: 'ipv4first' });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

function refused(internal: string): Fault {
  return new Fault('unavailable', { internal: `egress refused: ${internal}` });
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits = ''] = range.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** Ranges that no provider lives in, whatever is allowed: unspecified, metadata of clouds, multicast, reserved (IANA special-purpose registries). */
const NEVER = blockList([
  '0.0.0.0/8',
  '169.254.169.254/32',
  '169.254.170.0/24',
  '100.100.100.200/32',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  'ff00::/8',
  'fd00:ec2::254/128',
  '2001:db8::/32',
  '100::/64',
]);
/** Loopback, RFC 1918, CGNAT, link-local, benchmarking, unique local. */
const PRIVATE = blockList([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '198.18.0.0/15',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
]);

/** What an address is to us. An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, Teredo) is what that one is, or worse. */
export function addressKind(address: string): 'public' | 'private' | 'never' {
  const family = isIP(address);
  if (family === 0) return 'never';
  if (family === 4) return listed(address, 'ipv4');
  const groups = expand(address);
  const own = listed(address, 'ipv6');
  const inner = innerIpv4(groups);
  if (inner === undefined) return own;
  const carried = listed(inner, 'ipv4');
  if (own === 'never' || carried === 'never') return 'never';
  return own === 'private' || carried === 'private' ? 'private' : 'public';
}

function listed(address: string, family: 'ipv4' | 'ipv6'): 'public' | 'private' | 'never' {
  if (NEVER.check(address, family)) return 'never';
  return PRIVATE.check(address, family) ? 'private' : 'public';
}

/** The eight 16-bit groups of an IPv6 address. */
function expand(address: string): readonly number[] {
  const [plain = ''] = address.split('%');
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain);
  const text = dotted
    ? `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`
    : plain;
  const [head = '', tail] = text.split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16)));
  const first = parse(head);
  if (tail === undefined) return first;
  const last = parse(tail);
  return [...first, ...Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0), ...last];
}

function innerIpv4(groups: readonly number[]): string | undefined {
  const dotted = (high = 0, low = 0) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const zeros = (count: number) => groups.slice(0, count).every(group => group === 0);
  const [a, b] = groups;
  // ::ffff:0:0/96 (mapped), ::ffff:0:0:0/96 (translated), ::/96 (compatible)
  if (
    (zeros(5) && groups[5] === 0xffff) ||
    (zeros(4) && groups[4] === 0xffff && groups[5] === 0) ||
    (zeros(6) && (groups[6] !== 0 || (groups[7] ?? 0) > 1))
  )
    return dotted(groups[6], groups[7]);
  // 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64)
  if (a === 0x64 && b === 0xff9b) return dotted(groups[6], groups[7]);
  // 2002::/16 (6to4)
  if (a === 0x2002) return dotted(groups[1], groups[2]);
  // 2001::/32 (Teredo): the client's address, inverted
  if (a === 0x2001 && b === 0) return dotted((groups[6] ?? 0) ^ 0xffff, (groups[7] ?? 0) ^ 0xffff);
  return undefined;
}
