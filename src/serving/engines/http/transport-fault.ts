import { Fault, HttpSyntaxError } from '../../../ground/std/index.ts';

export type Phase = 'connect' | 'first byte' | 'idle' | 'total';

const PHASE_ZH: Record<Phase, string> = { connect: '建立连接', 'first byte': '首字节', idle: '空闲', total: '总时长' };

/** Names the limit that was met, and no host. */
export function timeoutFault(phase: Phase, limitMs: number): Fault {
  return new Fault('upstream_timeout', {
    message: `The upstream did not answer in time (${phase} timeout)`,
    messageZh: `上游服务响应超时（${PHASE_ZH[phase]}超时）`,
    internal: `${phase} timeout of ${limitMs} ms`,
  });
}

/** The upstream answered, but not with something that can be passed on. */
export function answerFault(message: string, messageZh: string, internal: string): Fault {
  return new Fault('upstream_error', { message, messageZh, internal });
}

/** Why a connection could not be made: not a byte of the request left. */
export function connectFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const code = codeOf(error);
  if (code !== undefined && /^ERR_(TLS|SSL|OSSL)|CERT|^UNABLE_TO_|SELF_SIGNED|^EPROTO$/.test(code))
    return new Fault('upstream_error', {
      message: 'No secure connection to the upstream could be made',
      messageZh: '无法与上游服务建立安全连接',
      internal: describe(error),
      cause: error,
    });
  return new Fault('unavailable', {
    message: 'The upstream could not be reached',
    messageZh: '无法连接上游服务',
    internal: describe(error),
    cause: error,
  });
}

const SYNTAX = {
  rules: ['The upstream broke the rules of HTTP', '上游服务的响应不符合 HTTP 规范'],
  'too-large': ['The headers of the upstream are too large', '上游服务的响应头过大'],
  'too-many': ['The upstream sent too many headers', '上游服务的响应头过多'],
} as const;

/** Why an answer broke off after the request had left. */
export function brokenFault(error: unknown, answered: boolean): Fault {
  if (error instanceof Fault) return error;
  const [message, messageZh] =
    error instanceof HttpSyntaxError
      ? SYNTAX[error.kind]
      : answered
        ? ['The upstream broke off in the middle of its answer', '上游服务在返回过程中中断']
        : ['The upstream closed the connection without an answer', '上游服务未作响应即关闭了连接'];
  return new Fault('upstream_error', { message, messageZh, internal: describe(error), cause: error });
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof Fault) return undefined;
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join('; ');
  return error instanceof Error ? `${codeOf(error) ?? error.name}: ${error.message}` : String(error);
}
