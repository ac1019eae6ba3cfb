import { type Permission, type Role, roleMay } from '@millrace/contract';

/** Who asks the control API. */
export interface Principal {
  /** `owner`, or the id of a key or a person. */
  readonly id: string;
  readonly role: Role;
  /** Bound to one organization: its things alone are there. Absent: the whole node's. */
  readonly organizationId?: string;
}

/** Whoever opens the home's own socket. */
export const OWNER: Principal = { id: 'owner', role: 'owner' };

export function mayDo({ role }: Principal, permission: Permission): boolean {
  return roleMay(role, permission);
}

/** Whether what belongs to that organization is there for them; null: it belongs to the platform. */
export function mayTouch(principal: Principal, organizationId: string | null): boolean {
  return principal.organizationId === undefined || principal.organizationId === organizationId;
}
