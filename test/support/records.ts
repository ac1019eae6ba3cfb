import type { KeyId } from '@millrace/contract';
import {
  type Attempt,
  ENTRY_KIND,
  type Intent,
  type JournalClient,
  type JournalRecord,
  type Progress,
  type Settlement,
} from '../../src/ground/journal/index.ts';

/** Records as a gateway writes them; `more` overrides fields. */
export function intent(id: string, holdNano = 5n, more: Partial<Intent> = {}): JournalRecord {
  const keyId: KeyId = 'key_1';
  const value: Intent = {
    id,
    atMs: 1_700_000_000_000,
    organizationId: 'acme',
    projectId: 'web',
    keyId,
    operation: 'chat',
    model: 'mock-1',
    stream: true,
    currency: 'CNY',
    holdNano,
    inputTokensMax: 100,
    outputTokensMax: 1_000,
    priceVersion: 'p',
    deploymentId: 'mock-1-a',
    providerId: 'mock',
    expiresAtMs: 1_700_000_600_000,
    ...more,
  };
  return { kind: ENTRY_KIND.intent, value };
}

export function attempt(more: Partial<Attempt> = {}): Attempt {
  return {
    number: 1,
    deploymentId: 'mock-1-a',
    providerId: 'mock',
    status: 200,
    outcome: 'ok',
    usage: { inputTokens: 1, cachedInputTokens: 0, outputTokens: 2, reasoningTokens: 0 },
    costVersion: 'c',
    costCurrency: 'CNY',
    costNano: 7n,
    durationMs: 3,
    ...more,
  };
}

export function settlement(id: string, more: Partial<Settlement> = {}): JournalRecord {
  const value: Settlement = {
    id,
    atMs: 1_700_000_001_000,
    outcome: 'ok',
    status: 200,
    usage: { inputTokens: 1, cachedInputTokens: 0, outputTokens: 2, reasoningTokens: 0 },
    usageSource: 'upstream',
    estimated: false,
    amountNano: 2n ** 53n + 1n,
    currency: 'CNY',
    priceVersion: 'p',
    attempts: [attempt()],
    ttftMs: 1,
    durationMs: 3,
    holdNano: 2n ** 53n + 1n,
    ...more,
  };
  return { kind: ENTRY_KIND.settlement, value };
}

export function note(id: string, outputTokens: number, more: Partial<Progress> = {}) {
  const value: Progress = { id, deploymentId: 'mock-1-a', inputTokens: 1, outputTokens, holdNano: 5n, ...more };
  return { kind: ENTRY_KIND.progress, value } as const;
}

/** An append as a promise; rejects with the fault. */
export function append(client: JournalClient, records: readonly JournalRecord[]): Promise<void> {
  return new Promise((resolve, reject) => client.append(records, fault => (fault ? reject(fault) : resolve())));
}
