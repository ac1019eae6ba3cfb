import { formatAmount, parseDate, usageQuerySchema } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { readTotals, readUsage, readUsageGroups, type UsageLine, type UsageTotals } from '../../money/ledger/index.ts';
import type { Identity } from '../../people/identity/index.ts';
import { type ControlApp, readQuery } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/usage`: what was used and paid, what it cost, and the margin: of one organization or all, line by line or summed. */
export function usageRoutes(app: ControlApp, { store, identity, loader }: ControlDeps): void {
  app.get('/api/v1/usage', async c => {
    const { organization, project, key, model, from, to, limit, cursor, by } = readQuery(c, usageQuerySchema);
    if (organization !== undefined) await checkOwner(identity, organization, project);
    await loader.flush();
    const filter = {
      organizationId: organization,
      projectId: project,
      keyId: key,
      model,
      fromMs: from === undefined ? undefined : parseDate(from),
      toMs: to === undefined ? undefined : parseDate(to),
    };
    if (by !== undefined) {
      const [totals, groups] = [await readTotals(store, filter), await readUsageGroups(store, filter, by)];
      return c.json({ totals: totals.map(totalView), groups: groups.map(totalView), lines: [], next: null });
    }
    const { totals, lines, next } = await readUsage(store, { ...filter, limit, cursor });
    return c.json({ totals: totals.map(totalView), groups: [], lines: lines.map(lineView), next });
  });
}

/** Throws Fault `not_found`: nobody and nothing used are two answers. */
async function checkOwner(identity: Identity, organization: string, project: string | undefined): Promise<void> {
  const projects = await identity.projects(organization);
  if (project === undefined || projects.some(({ id }) => id === project)) return;
  throw new Fault('not_found', {
    message: `The organization ${organization} has no project ${project}`,
    messageZh: `组织 ${organization} 没有项目 ${project}`,
  });
}

function totalView({ revenueNano, costNano, ...counts }: UsageTotals): object {
  return {
    ...counts,
    revenue: formatAmount(revenueNano),
    cost: formatAmount(costNano),
    margin: formatAmount(revenueNano - costNano),
  };
}

function lineView({ amountNano, costNano, ...rest }: UsageLine): object {
  return {
    ...rest,
    amount: formatAmount(amountNano),
    cost: costNano === null ? null : formatAmount(costNano),
    margin: costNano === null ? null : formatAmount(amountNano - costNano),
  };
}
