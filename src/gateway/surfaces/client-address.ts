import { BlockList, isIP } from 'node:net';
import { parseCidr } from '../../people/callers/index.ts';
import type { HttpRequest } from '../server/index.ts';
import { fieldsOf } from './field-values.ts';

/** From which address a client asks; '' where it cannot be known. */
export type ClientAddress = (http: HttpRequest) => string;

/** What proxies and the networks in front of them add to a request: it was not sent by who is at the other end of the connection. */
const MARKS: ReadonlySet<string> = new Set(
  'forwarded via x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-port x-forwarded-server x-real-ip x-client-ip x-cluster-client-ip x-original-forwarded-for x-envoy-external-address x-appengine-user-ip cf-connecting-ip cf-connecting-ipv6 cf-ray true-client-ip fastly-client-ip fly-client-ip x-azure-clientip x-azure-socketip'.split(
    ' ',
  ),
);

/**
 * Of a proxy that is trusted, the client is who it says in `X-Forwarded-For`: read from its end, past all that are trusted. Of
 * others it is who is at the other end, unless the request bears a mark of having been passed on: then nobody knows.
 */
export function createClientAddress(trusted: readonly string[]): ClientAddress {
  const list = new BlockList();
  for (const range of trusted) {
    const parsed = parseCidr(range);
    if (parsed) list.addSubnet(parsed.address, parsed.bits, parsed.family);
  }
  const isTrusted = (address: string) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
  return http => {
    const peer = http.remoteAddress();
    const fields = fieldsOf(http.head);
    if (trusted.length === 0 || !isTrusted(peer)) return fields.some(([name]) => MARKS.has(name)) ? '' : peer;
    const told = fields.flatMap(([name, value]) => (name === 'x-forwarded-for' ? value.split(',') : []));
    let address = '';
    do {
      address = plainAddress(told.pop() ?? '');
    } while (isTrusted(address) && told.length > 0);
    return address;
  };
}

/** Without the port that some proxies add; '' for what is no address. */
function plainAddress(text: string): string {
  const plain = text.trim().replace(/^\[([^\]]*)\](?::\d{1,5})?$/, '$1');
  const address = /^[\d.]+:\d{1,5}$/.test(plain) ? plain.slice(0, plain.indexOf(':')) : plain;
  return isIP(address) === 0 ? '' : address;
}
