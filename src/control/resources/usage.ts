import { formatAmount, parseDate, usageQuerySchema } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { readUsage, type UsageLine, type UsageTotals } from '../../money/ledger/index.ts';
import { type ControlApp, readQuery } from '../context.ts';
import type { ControlDeps } from '../deps.ts';

/** `/api/v1/usage`: what an organization used and paid, what it cost, and the margin. */
export function usageRoutes(app: ControlApp, { store, identity, loader }: ControlDeps): void {
  app.get('/api/v1/usage', async c => {
    const { organization, project, model, from, to, limit, cursor } = readQuery(c, usageQuerySchema);
    // Throws `not_found`: nobody and nothing used are two answers.
    const projects = await identity.projects(organization);
    if (project !== undefined && !projects.some(({ id }) => id === project))
      throw new Fault('not_found', {
        message: `The organization ${organization} has no project ${project}`,
        messageZh: `组织 ${organization} 没有项目 ${project}`,
      });
    await loader.flush();
    const { totals, lines, next } = await readUsage(store, {
      organizationId: organization,
      projectId: project,
      model,
      fromMs: from === undefined ? undefined : parseDate(from),
      toMs: to === undefined ? undefined : parseDate(to),
      limit,
      cursor,
    });
    return c.json({ totals: totals.map(totalView), lines: lines.map(lineView), next });
  });
}

function totalView({ revenueNano, costNano, disputedNano, ...counts }: UsageTotals): object {
  return {
    ...counts,
    revenue: formatAmount(revenueNano),
    cost: formatAmount(costNano),
    margin: formatAmount(revenueNano - costNano),
    disputed: formatAmount(disputedNano),
  };
}

function lineView({ amountNano, costNano, disputedNano, ...rest }: UsageLine): object {
  return {
    ...rest,
    amount: formatAmount(amountNano),
    cost: costNano === null ? null : formatAmount(costNano),
    margin: costNano === null ? null : formatAmount(amountNano - costNano),
    disputed: disputedNano === null ? null : formatAmount(disputedNano),
  };
}
