import { isIP, type LookupFunction, connect as netConnect, type Socket } from 'node:net';
import { isAbsolute, normalize, sep } from 'node:path';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Clock } from './clock.ts';
import { type AddressKind, addressKind } from './egress-address.ts';
import { cachedResolve, type Resolve, type ResolvedAddress, systemResolve } from './egress-names.ts';
import { Fault } from './fault.ts';

export interface EgressPolicy {
  /** Set by the operator, per provider. Never opens metadata, multicast and unspecified addresses. */
  readonly allowPrivateNetwork: boolean;
}

/** A parsed URL, and the only way to connect to it. */
export interface EgressTarget {
  /** `https://host:port`; `http://localhost` for a socket file. */
  readonly origin: string;
  /** Path of the URL without a slash at its end: `/v1` or empty. */
  readonly basePath: string;
  /** Query of the URL with its question mark, or empty. */
  readonly search: string;
  /**
   * Opens one connection to a checked address; destroying the socket before the callback gives the attempt up, and the
   * callback is not called. Fails with a Fault `unavailable` where the address may not be used, else with the system's error.
   */
  connect(callback: ConnectCallback): Socket;
}

export type ConnectCallback = (...result: [error: null, socket: Socket] | [error: Error, socket: null]) => void;

/** The one place that decides about outbound URLs, and opens their connections. */
export interface Egress {
  /** Parses once; all that follows uses what was parsed. Throws Fault `config_invalid`. */
  target(url: string, policy: EgressPolicy): EgressTarget;
  /** For the moment a URL is configured: parses, resolves and checks. Throws Fault `config_invalid` or `unavailable`. */
  check(url: string, policy: EgressPolicy): Promise<void>;
}

export interface EgressOptions {
  readonly clock: Clock;
  readonly resolve?: Resolve;
  /** Folder whose socket files `unix:` URLs may name; absent: any absolute path. */
  readonly socketFolder?: string;
  /** PEM certificates trusted in place of the system's. */
  readonly ca?: string;
}

/** How long one address may take before the next one is tried (RFC 8305 §5 says 250 ms; ours reach across continents). */
const ATTEMPT_MS = 400;
const TCP_KEEP_ALIVE_MS = 60_000;
const READ_BYTES = 65_536;
/** `sun_path` of Linux is 108 bytes with its NUL, of macOS 104. */
const SOCKET_PATH_BYTES_MAX = 103;

export function createEgress(options: EgressOptions): Egress {
  const resolve = cachedResolve({ clock: options.clock, resolve: options.resolve ?? systemResolve });
  const target: Egress['target'] = (url, policy) => {
    if (url.startsWith('unix:')) return unixTarget(url, options.socketFolder);
    const parsed = parseUrl(url);
    const hostname = bareHostname(parsed);
    if (isIP(hostname) !== 0) assertAllowed([{ address: hostname, family: 4 }], { hostname, policy });
    return tcpTarget(parsed, { policy, resolve, ca: options.ca });
  };
  return {
    target,
    async check(url, policy) {
      target(url, policy);
      if (url.startsWith('unix:')) return;
      const hostname = bareHostname(parseUrl(url));
      if (isIP(hostname) === 0) assertAllowed(await resolveOrFault(resolve, hostname), { hostname, policy });
    },
  };
}

/** WHATWG parsing turns every spelling of an address (decimal, octal, hex, full-width) into the one that is checked. */
function parseUrl(text: string): URL {
  const url = URL.parse(text);
  // The parser drops these in silence; a URL that needs them dropped was not written by someone who meant well.
  if (!url || /[\p{Cc}\s\\]/u.test(text)) throw malformed('is not a URL', '不是有效的 URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw malformed('must begin with http:// or https://', '必须以 http:// 或 https:// 开头');
  if (url.username !== '' || url.password !== '')
    throw malformed('must not contain a user name or password', '不能包含用户名或密码');
  if (text.includes('#')) throw malformed('must not contain a fragment (#)', '不能包含片段标识（#）');
  if (url.port === '0' || url.hostname === '') throw malformed('names no host', '没有指明主机');
  return url;
}

function malformed(en: string, zh: string): Fault {
  return new Fault('config_invalid', { message: `The address ${en}`, messageZh: `地址${zh}` });
}

function bareHostname(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
}

function assertAllowed(
  addresses: readonly ResolvedAddress[],
  { hostname, policy }: { readonly hostname: string; readonly policy: EgressPolicy },
): void {
  // One bad address among good ones refuses all: an honest service does not resolve to both.
  for (const { address } of addresses) {
    const kind = addressKind(address);
    if (!isAllowed(kind, policy)) throw refused(hostname, address, kind);
  }
}

function isAllowed(kind: AddressKind, policy: EgressPolicy): boolean {
  return kind === 'public' || (kind === 'private' && policy.allowPrivateNetwork);
}

function refused(hostname: string, address: string, kind: AddressKind): Fault {
  return new Fault('unavailable', {
    message: 'The address of this upstream is not allowed',
    messageZh: '不允许访问该上游地址',
    internal: `egress: ${hostname} leads to ${address} (${kind === 'private' ? 'private; this provider has no allowPrivateNetwork' : 'never allowed'})`,
  });
}

async function resolveOrFault(resolve: Resolve, hostname: string): Promise<readonly ResolvedAddress[]> {
  try {
    return await resolve(hostname);
  } catch (cause) {
    throw new Fault('unavailable', {
      message: 'The upstream could not be reached',
      messageZh: '无法连接上游服务',
      internal: `egress: ${hostname} does not resolve`,
      cause,
    });
  }
}

interface TcpOptions {
  readonly policy: EgressPolicy;
  readonly resolve: Resolve;
  readonly ca: string | undefined;
}

function tcpTarget(url: URL, { policy, resolve, ca }: TcpOptions): EgressTarget {
  const hostname = bareHostname(url);
  const secure = url.protocol === 'https:';
  // The socket asks for addresses and gets only ones that were checked; it never sees the name's second answer.
  const lookup: LookupFunction = (_hostname, options, callback) => {
    resolveOrFault(resolve, hostname).then(
      addresses => {
        try {
          assertAllowed(addresses, { hostname, policy });
        } catch (error) {
          return callback(asError(error), '', 4);
        }
        const [first] = addresses;
        if (options.all) callback(null, [...addresses]);
        else callback(null, first?.address ?? '', first?.family ?? 4);
      },
      error => callback(asError(error), '', 4),
    );
  };
  const endpoint = {
    host: hostname,
    port: Number(url.port || (secure ? 443 : 80)),
    lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
    highWaterMark: READ_BYTES,
  };
  let session: Buffer | undefined;
  const open = (): Socket => {
    if (!secure) return netConnect(endpoint);
    const socket: TLSSocket = tlsConnect({
      ...endpoint,
      // An address is no name that SNI could carry (RFC 6066 §3); the certificate is checked against it all the same.
      ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
      ...(session ? { session } : {}),
      ...(ca === undefined ? {} : { ca }),
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: true,
    });
    return socket.on('session', fresh => {
      session = fresh;
    });
  };
  return {
    origin: url.origin,
    basePath: url.pathname.replace(/\/+$/, ''),
    search: url.search,
    connect: callback => {
      const socket = open();
      return settle(socket, secure ? 'secureConnect' : 'connect', (error, connected) => {
        if (!connected) return callback(error ?? new Error('not connected'), null);
        // A second lock on the same door: whatever was looked up, this is where the bytes would go.
        const kind = addressKind(connected.remoteAddress ?? '');
        if (isAllowed(kind, policy)) return callback(null, connected);
        const fault = refused(hostname, connected.remoteAddress ?? 'nowhere', kind);
        socket.destroy();
        callback(fault, null);
      });
    },
  };
}

/** `unix:/path/to.sock:/v1`: an engine host of this node. */
function unixTarget(url: string, folder: string | undefined): EgressTarget {
  const [, path = '', basePath = ''] = /^unix:([^:\0]+)(?::(\/[^?#\s]*)?)?$/.exec(url) ?? [];
  if (!isAbsolute(path) || normalize(path) !== path)
    throw malformed(
      'of a socket must be absolute: unix:/path.sock:/v1',
      '如为套接字，须写绝对路径：unix:/path.sock:/v1',
    );
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX)
    throw malformed('of a socket is longer than 103 bytes', '如为套接字，路径不能超过 103 字节');
  if (folder !== undefined && !path.startsWith(normalize(folder).replace(/[/\\]*$/, sep)))
    throw malformed('of a socket lies outside the folder of this node', '如为套接字，必须位于本节点的目录之内');
  const endpoint = { path, highWaterMark: READ_BYTES };
  return {
    origin: 'http://localhost',
    basePath: basePath.replace(/\/+$/, ''),
    search: '',
    connect: callback => settle(netConnect(endpoint), 'connect', callback),
  };
}

function settle(socket: Socket, event: 'connect' | 'secureConnect', callback: ConnectCallback): Socket {
  let waiting = true;
  socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
  socket.once(event, () => {
    waiting = false;
    callback(null, socket);
  });
  // Stays for the life of the socket: an error after the connection was handed over has its own listeners.
  socket.on('error', error => {
    if (!waiting) return;
    waiting = false;
    callback(error, null);
  });
  return socket;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
