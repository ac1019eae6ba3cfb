import { auditRoutes } from './audit.ts';
import { configRoutes } from './config.ts';
import { jobRoutes } from './jobs.ts';
import { keyRoutes } from './keys.ts';
import { ledgerRoutes } from './ledger.ts';
import { modelRoutes } from './models.ts';
import { nodeRoutes } from './node.ts';
import { organizationRoutes } from './organizations.ts';
import { providerRoutes } from './providers.ts';
import { usageRoutes } from './usage.ts';
import { walletRoutes } from './wallets.ts';

/** Every route of the control API, by noun and verb: `ROUTES.keys.create`. */
export const ROUTES = {
  node: nodeRoutes,
  organizations: organizationRoutes,
  keys: keyRoutes,
  wallets: walletRoutes,
  models: modelRoutes,
  providers: providerRoutes,
  config: configRoutes,
  usage: usageRoutes,
  ledger: ledgerRoutes,
  jobs: jobRoutes,
  audit: auditRoutes,
} as const;
