import { type ApplyResult, type Change, type ConfigDocument, configSchema } from '@millrace/contract';
import type { StoreTransaction } from '../../ground/store/index.ts';
import { withKnownProviders } from '../../models/catalog/index.ts';
import { ConfigFault } from '../config-fault.ts';
import type { ControlDeps } from '../deps.ts';
import { type Checked, check, type Issue } from '../issue-text.ts';
import { checkReferences } from './check.ts';
import { applyModel } from './model.ts';
import { applyOrganization } from './organization.ts';
import { priceWarnings } from './price-warnings.ts';
import { applyProvider } from './provider.ts';

export interface ApplyOptions {
  readonly dryRun: boolean;
  /** Runs first in the transaction: what it throws ends it, nothing changed. */
  readonly before?: ((trx: StoreTransaction) => Promise<void>) | undefined;
}

/** What was changed, or would be, and what is worth a second look. */
export interface Applied extends Omit<ApplyResult, 'warnings'> {
  readonly warnings: readonly Issue[];
}

/** Ends the transaction of a dry run: everything was tried, nothing stays. */
class DryRun extends Error {}

/**
 * Brings the store to what a document says: everything or, when one thing is wrong, nothing. All that is wrong is said at once.
 * Objects that the document does not name are left alone; a named object is set to exactly what the document says of it, with
 * defaults for the rest (but a provider keeps its key where none is given). What a dry run reports is what the same transaction
 * would do: it is that transaction, rolled back.
 */
export async function applyDocument(
  deps: ControlDeps,
  value: unknown,
  { dryRun, before }: ApplyOptions,
): Promise<Checked<Applied>> {
  const parsed = check(configSchema, withKnownProviders(value ?? {}));
  if (!parsed.ok) return parsed;
  const document = parsed.value;
  const issues = await checkReferences(deps, document);
  if (issues.length > 0) return { ok: false, issues };
  const changes = await changeStore(deps, document, { dryRun, before });
  // In a dry run too: credits that were tried and rolled back are forgotten there.
  if (dryRun || changes.some(({ action }) => action !== 'unchanged')) await deps.publish();
  const changed = changes.some(({ action }) => action !== 'unchanged');
  const warnings = priceWarnings(document, deps.clock.nowMs());
  return { ok: true, value: { dryRun, changed, changes: [...changes], warnings } };
}

/** As {@link applyDocument}, for documents of our own: throws {@link ConfigFault}. */
export async function applyConfig(deps: ControlDeps, document: unknown, options: ApplyOptions): Promise<Applied> {
  const outcome = await applyDocument(deps, document, options);
  if (outcome.ok) return outcome.value;
  throw new ConfigFault(outcome.issues);
}

async function changeStore(
  deps: ControlDeps,
  document: ConfigDocument,
  { dryRun, before }: ApplyOptions,
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  try {
    await deps.store.transaction(async trx => {
      // PostgreSQL may run this again after a conflict.
      changes.length = 0;
      await before?.(trx);
      for (const provider of document.providers) changes.push(await applyProvider(deps, trx, provider));
      for (const model of document.models) changes.push(...(await applyModel(deps, trx, model)));
      for (const organization of document.organizations)
        changes.push(...(await applyOrganization(deps, trx, organization)));
      if (dryRun) throw new DryRun();
    });
  } catch (error) {
    if (!(error instanceof DryRun)) throw error;
  }
  return changes;
}
