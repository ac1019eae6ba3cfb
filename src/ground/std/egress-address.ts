import { isIP } from 'node:net';

/**
 * `public`: the open internet. `private`: reachable only where the operator allowed it. `never`: no service lives there
 * that we could want (metadata of clouds, multicast, unspecified, reserved, addresses that hide another).
 */
export type AddressKind = 'public' | 'private' | 'never';

type Range = readonly [text: string, kind: AddressKind];

/**
 * IANA IPv4 special-purpose registry (2024-10), and the addresses under which clouds serve credentials to whoever asks:
 * AWS, GCP, Azure, DigitalOcean, Huawei 169.254.169.254; AWS containers 169.254.170.0/24; Tencent 169.254.0.23;
 * Alibaba 100.100.100.200; Oracle 192.0.0.192; Azure's host 168.63.129.16. The first range that holds decides.
 */
const IPV4: readonly Range[] = [
  ['0.0.0.0/8', 'never'],
  ['100.100.100.200/32', 'never'],
  ['168.63.129.16/32', 'never'],
  ['169.254.0.23/32', 'never'],
  ['169.254.169.0/24', 'never'],
  ['169.254.170.0/24', 'never'],
  ['192.0.0.0/24', 'never'],
  ['192.0.2.0/24', 'never'],
  ['192.88.99.0/24', 'never'],
  ['198.51.100.0/24', 'never'],
  ['203.0.113.0/24', 'never'],
  ['224.0.0.0/3', 'never'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'private'],
  ['127.0.0.0/8', 'private'],
  ['169.254.0.0/16', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  // Benchmarking by the book; in practice where proxies in "fake IP" mode put every name.
  ['198.18.0.0/15', 'private'],
  ['0.0.0.0/0', 'public'],
];

/** IANA IPv6 special-purpose registry (2024-10). What no line allows is refused: only 2000::/3 is in use at all. */
const IPV6: readonly Range[] = [
  ['::1/128', 'private'],
  ['fd00:ec2::/32', 'never'],
  ['fd20:ce::/32', 'never'],
  ['fe80::a9fe:a9fe/128', 'never'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'private'],
  // Teredo, ORCHID, benchmarking: 2001::/23 is the IETF's own, and holds no server.
  ['2001::/23', 'never'],
  ['2001:db8::/32', 'never'],
  // 6to4 is withdrawn (RFC 7526); what still routes it would reach the IPv4 address inside.
  ['2002::/16', 'never'],
  ['3fff::/20', 'never'],
  ['2000::/3', 'public'],
  ['::/0', 'never'],
];

interface Parsed {
  readonly value: bigint;
  readonly mask: bigint;
  readonly kind: AddressKind;
}

const RANGES4 = IPV4.map(range => parseRange(range, 32));
const RANGES6 = IPV6.map(range => parseRange(range, 128));

/** What an address is to us; text that is no address is `never`. IPv4 inside of IPv6 (mapped, NAT64) counts as that IPv4. */
export function addressKind(address: string): AddressKind {
  const family = isIP(address);
  if (family === 4) return kindIn(RANGES4, ipv4(address));
  if (family !== 6 || address.includes('%')) return 'never';
  const value = ipv6(address);
  const high = value >> 32n;
  // ::ffff:0:0/96 (mapped) and 64:ff9b::/96 (RFC 6052, how IPv6-only networks reach IPv4)
  if (high === 0xffffn || high === 0x64_ff9bn << 64n) return kindIn(RANGES4, value & 0xffff_ffffn);
  // ISATAP (RFC 5214) carries an IPv4 address in its interface id
  if (((value >> 32n) & 0xfdff_ffffn) === 0x5efen) return 'never';
  return kindIn(RANGES6, value);
}

function kindIn(ranges: readonly Parsed[], value: bigint): AddressKind {
  for (const range of ranges) if ((value & range.mask) === range.value) return range.kind;
  return 'never';
}

function parseRange([text, kind]: Range, width: 32 | 128): Parsed {
  const [address = '', bits = ''] = text.split('/');
  const all = (1n << BigInt(width)) - 1n;
  const mask = all ^ (all >> BigInt(bits));
  return { value: width === 32 ? ipv4(address) : ipv6(address), mask, kind };
}

function ipv4(text: string): bigint {
  return text.split('.').reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function ipv6(text: string): bigint {
  const dotted = text.lastIndexOf(':') + 1;
  if (text.includes('.')) {
    const inner = ipv4(text.slice(dotted));
    return ipv6(`${text.slice(0, dotted)}${(inner >> 16n).toString(16)}:${(inner & 0xffffn).toString(16)}`);
  }
  const [head = '', tail] = text.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last];
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
