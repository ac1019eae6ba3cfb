import type { PriceInput } from './price-version.ts';
import type { Model, Quirk } from './snapshot.ts';

export interface ProviderInput {
  readonly id: string;
  readonly dialect: 'openai-chat';
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly allowPrivateNetwork?: boolean | undefined;
  readonly quirks?: readonly Quirk[] | undefined;
}

export interface EngineInput {
  readonly file: string;
  readonly contextTokens?: number | undefined;
  readonly sequences?: number | undefined;
  readonly threads?: number | undefined;
}

export interface DeploymentInput {
  readonly id: string;
  readonly provider?: string | undefined;
  readonly engine?: EngineInput | undefined;
  readonly upstreamModel?: string | undefined;
  readonly concurrency?: number | undefined;
  readonly priority?: number | undefined;
  readonly weight?: number | undefined;
  readonly costs?: readonly PriceInput[] | undefined;
}

export interface ModelInput {
  readonly id: string;
  readonly operations?: readonly Model['operations'][number][] | undefined;
  readonly contextTokens?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
  readonly prices: readonly PriceInput[];
  readonly deployments: readonly DeploymentInput[];
}
