import type { Route } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { mayDo, type Principal } from '../../people/identity/index.ts';

/**
 * Throws `invalid_api_key` for whom nobody knows, `forbidden` for who lacks the permission, `not_found` where the organization that is
 * named is another's: whether it is there is nobody else's to find out.
 */
export function authorize(
  route: Route,
  principal: Principal | undefined,
  named: { readonly params: ReadonlyMap<string, string>; readonly query: ReadonlyMap<string, string> },
): void {
  if (route.permission === undefined) return;
  if (!principal) throw unknownCaller();
  if (!mayDo(principal, route.permission)) throw lacks(route);
  const { tenant } = route;
  if (principal.organizationId === undefined || tenant === 'open' || tenant === 'object') return;
  if (tenant === 'platform') throw lacks(route);
  const organization = 'param' in tenant ? named.params.get(tenant.param) : named.query.get(tenant.query);
  // A list without a filter is of their own; `mount` sets it.
  if (organization === undefined && 'query' in tenant) return;
  if (organization !== principal.organizationId) throw noOrganization(organization ?? '');
}

export function unknownCaller(): Fault {
  return new Fault('invalid_api_key', {
    message: 'The control API takes an admin key: `Authorization: Bearer mr_admin_…` (./millrace key create --admin)',
    messageZh: '控制 API 需要管理密钥：`Authorization: Bearer mr_admin_…`（./millrace key create --admin）',
    headers: { 'www-authenticate': 'Bearer' },
  });
}

function lacks({ permission, tenant }: Route): Fault {
  // Of the machine, not of anyone's role: said as it is.
  if (permission === 'node.backup')
    return new Fault('forbidden', {
      message: 'This is done on the machine itself, with ./millrace',
      messageZh: '此操作只能在本机上通过 ./millrace 进行',
    });
  const where = tenant === 'platform' ? ' for the whole node' : '';
  return new Fault('forbidden', {
    message: `This key lacks the permission ${permission}${where}`,
    messageZh: `此密钥没有${where === '' ? '' : '整个节点的'} ${permission} 权限`,
  });
}

export function noOrganization(id: string): Fault {
  return new Fault('not_found', {
    message: `There is no organization ${id.slice(0, 64)}`,
    messageZh: `不存在组织 ${id.slice(0, 64)}`,
  });
}
