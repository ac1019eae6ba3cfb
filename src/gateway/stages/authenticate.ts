import { Fault } from '../../ground/std/index.ts';
import { type CallerIndex, type CallerRecord, ipAllowed } from '../../people/callers/index.ts';
import type { HttpRequest } from '../server/index.ts';

const BEARER = /^bearer +(\S+)$/i;

export interface AuthenticateContext {
  readonly callers: CallerIndex;
  /** From where; '' where it cannot be known. */
  readonly clientAddress: (request: HttpRequest) => string;
  readonly nowMs: number;
}

/** Who calls. Throws `invalid_api_key`, the same for every reason, or `forbidden` for an address outside the key's ranges. */
export function authenticate(
  request: HttpRequest,
  { callers, clientAddress, nowMs }: AuthenticateContext,
): CallerRecord {
  const { authorization } = request.head;
  const key = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
  const caller = key === undefined ? undefined : callers.lookup(key, nowMs);
  if (!caller) {
    throw new Fault('invalid_api_key', {
      ...(authorization === undefined
        ? {
            message: 'Send your API key as `Authorization: Bearer mr_live_…`',
            messageZh: '请以 `Authorization: Bearer mr_live_…` 发送 API 密钥',
          }
        : {}),
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
  if (caller.scopes.ipRanges !== undefined && !ipAllowed(caller, clientAddress(request))) {
    throw new Fault('forbidden', {
      message: 'This key may not be used from this address',
      messageZh: '此密钥不允许从该地址使用',
    });
  }
  return caller;
}
