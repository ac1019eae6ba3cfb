import type { FaultCode } from '@millrace/contract';

/** What a host is started with: its only argument, as JSON. */
export interface HostOptions {
  readonly file: string;
  readonly socketPath: string;
  readonly contextTokens?: number;
  readonly sequences?: number;
  readonly threads?: number;
  /** Folder of compiled code, so that the next start need not compile. */
  readonly compileCache?: string;
  /** Absent: from the speed that was measured. */
  readonly stallMs?: number;
}

/** What runs, and how; what `status` shows of it. */
export interface HostFacts {
  readonly name: string;
  readonly contextTokens: number;
  readonly sequences: number;
  readonly threads: number;
  readonly tokensPerSecond: number;
  readonly neededBytes: number;
  readonly startMs: number;
  /** A step that takes longer hangs. */
  readonly stallMs: number;
}

export interface HostLoad {
  readonly processing: number;
  readonly deferred: number;
  readonly tokensPredicted: number;
  /** Evaluations that came to their end: parts of prompts, tokens, vectors. */
  readonly steps: number;
  readonly residentBytes: number;
}

/** From the host to its supervisor. */
export type HostMessage =
  | { readonly type: 'ready'; readonly facts: HostFacts }
  | { readonly type: 'beat'; readonly load: HostLoad }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly event: string;
      readonly fields: object;
    }
  /** Native work hangs, which nothing can end but the process; who waited for it was told. */
  | { readonly type: 'stalled'; readonly message: string; readonly messageZh: string }
  /** It cannot serve this model, and says why before it exits. */
  | { readonly type: 'refused'; readonly code: FaultCode; readonly message: string; readonly messageZh: string };

/** From the supervisor to the host. */
export type SupervisorMessage = { readonly type: 'stop' };

/** How often a host shows that its event loop turns. */
export const BEAT_MS = 1_000;

/** Both ends are ours and of one version; this tells our messages from others' on the same channel. */
export function isMessage<Message extends { readonly type: string }>(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
