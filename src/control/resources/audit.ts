import type { AuditEntryView, ROUTES } from '@millrace/contract';
import type { AuditEntry } from '../../people/audit/index.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';

/** Who did what. */
export function auditHandlers({ audit }: ControlDeps): Handlers<typeof ROUTES.audit> {
  return {
    async list({ query: { organization, actor, action, limit, cursor } }) {
      const before = cursor === undefined ? undefined : Number(cursor);
      const entries = await audit.list({ organizationId: organization, actor, action, before, limit });
      const last = entries.length < limit ? undefined : entries.at(-1);
      return { entries: entries.map(view), next: last ? String(last.seq) : null };
    },
    async verify() {
      const { checked, brokenAt } = await audit.verify();
      return { ok: brokenAt === undefined, checked, brokenAt: brokenAt ?? null };
    },
  };
}

function view({ atMs, ...rest }: AuditEntry): AuditEntryView {
  return { ...rest, at: new Date(atMs).toISOString() };
}
