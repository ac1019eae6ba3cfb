import type { PriceInput } from '../../money/pricing/index.ts';
import type { Model, Quirk } from './snapshot.ts';

export interface ProviderInput {
  readonly id: string;
  readonly dialect: 'openai-chat';
  readonly baseUrl: string;
  /** Absent: the one that is there stays, as long as the base URL does. */
  readonly apiKey?: string | undefined;
  readonly allowPrivateNetwork?: boolean | undefined;
  readonly quirks?: readonly Quirk[] | undefined;
}

export interface EngineInput {
  /** A GGUF file on the server's disk. */
  readonly file: string;
  readonly contextTokens?: number | undefined;
  readonly sequences?: number | undefined;
  readonly threads?: number | undefined;
}

/** In ms; what is absent is as the model says, and else the default. */
export interface TimeoutsInput {
  readonly connectMs?: number | undefined;
  readonly firstByteMs?: number | undefined;
  readonly answerMs?: number | undefined;
  readonly idleMs?: number | undefined;
  readonly totalMs?: number | undefined;
  /** Tries another deployment after a timeout. */
  readonly retry?: boolean | undefined;
}

/** Of a provider or of an engine, never both. */
export interface DeploymentInput {
  readonly id: string;
  readonly provider?: string | undefined;
  readonly engine?: EngineInput | undefined;
  /** Absent: the id of the model. */
  readonly upstreamModel?: string | undefined;
  readonly concurrency?: number | undefined;
  readonly priority?: number | undefined;
  readonly weight?: number | undefined;
  readonly timeouts?: TimeoutsInput | undefined;
  readonly costs?: readonly PriceInput[] | undefined;
}

export interface ModelInput {
  readonly id: string;
  readonly operations?: readonly Model['operations'][number][] | undefined;
  readonly contextTokens?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
  readonly timeouts?: TimeoutsInput | undefined;
  readonly prices: readonly PriceInput[];
  readonly deployments: readonly DeploymentInput[];
}
