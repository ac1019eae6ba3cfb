import { claimFact } from '../ground/store/index.ts';
import { applyConfig } from './apply/apply.ts';
import type { ControlDeps } from './deps.ts';
import { BUILTIN_MODEL } from './model-file.ts';

const price = (currency: string, inputPerM: string, cachedInputPerM: string, outputPerM: string) => ({
  currency,
  inputPerM,
  cachedInputPerM,
  outputPerM,
});

const DEFAULTS = {
  models: [
    {
      id: 'millrace-nano',
      operations: ['chat', 'completions', 'embeddings'],
      contextTokens: 1024,
      maxOutputTokens: 384,
      prices: [price('CNY', '0.1', '0.01', '0.2'), price('USD', '0.014', '0.0014', '0.028')],
      deployments: [{ id: 'millrace-nano', engine: { file: BUILTIN_MODEL } }],
    },
  ],
  organizations: [{ id: 'default', wallet: { currency: 'CNY', credit: '100' }, projects: [{ id: 'default' }] }],
} as const;

/** A home that has never been used gets the built-in model, an organization with play money, and a key, which is returned. */
export async function plantDefaults(deps: ControlDeps): Promise<string | undefined> {
  const isUsed = (await deps.identity.organizations()).length > 0 || deps.catalog.snapshot().models.size > 0;
  const isThere = await deps.inspectModel(BUILTIN_MODEL).then(
    () => true,
    () => false,
  );
  if (isUsed || !isThere) return undefined;
  // Of nodes that start at once on an empty database one does it.
  const { nodeId } = deps.journal;
  if ((await claimFact(deps.store, 'defaults-by', nodeId)) !== nodeId) return undefined;
  await applyConfig(deps, DEFAULTS, { dryRun: false });
  const { key } = await deps.identity.createKey({ organizationId: 'default', projectId: 'default', name: 'first' });
  return key;
}

/** A project to try things with: of an organization that is not suspended, rather of one that has money. */
export async function firstProject({
  identity,
  ledger,
}: Pick<ControlDeps, 'identity' | 'ledger'>): Promise<TryProject | undefined> {
  let poor: TryProject | undefined;
  for (const { id: organizationId, suspended } of await identity.organizations()) {
    if (suspended) continue;
    const [project] = await identity.projects(organizationId);
    if (!project) continue;
    const hasMoney = (await ledger.balances(organizationId)).some(({ availableNano }) => availableNano > 0n);
    if (hasMoney) return { organizationId, id: project.id, hasMoney };
    poor ??= { organizationId, id: project.id, hasMoney };
  }
  return poor;
}

export interface TryProject {
  readonly organizationId: string;
  readonly id: string;
  readonly hasMoney: boolean;
}
