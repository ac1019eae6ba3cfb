/** What one may do, by the words `noun.verb`. Every route of the control API needs exactly one. */
export const PERMISSIONS = {
  'node.read': { en: 'See how the node fares', zh: '查看节点状态' },
  'node.backup': { en: 'Copy the whole home to a folder of the server', zh: '将整个主目录备份到服务器上的目录' },
  'organizations.read': { en: 'See organizations and projects', zh: '查看组织与项目' },
  'organizations.write': {
    en: 'Make, suspend and resume organizations, make projects',
    zh: '创建、暂停、恢复组织，创建项目',
  },
  'keys.read': { en: 'See keys, never their text', zh: '查看密钥（不含密钥本身）' },
  'keys.write': { en: 'Make, change and revoke API keys', zh: '创建、修改、吊销 API 密钥' },
  'admins.write': { en: 'Make keys that administer', zh: '创建管理密钥' },
  'wallets.read': { en: 'See balances and what moved them', zh: '查看钱包余额与流水' },
  'wallets.write': { en: 'Credit and debit wallets', zh: '为钱包充值、扣款' },
  'models.read': { en: 'See models, deployments and prices', zh: '查看模型、部署与价格' },
  'models.write': { en: 'Add, change and remove models', zh: '添加、修改、移除模型' },
  'providers.read': { en: 'See providers, never their keys', zh: '查看供应商（不含其密钥）' },
  'providers.write': { en: 'Add, change and remove providers', zh: '添加、修改、移除供应商' },
  'config.apply': { en: 'Apply a configuration document', zh: '应用配置文件' },
  'usage.read': { en: 'See usage, revenue, cost and margin', zh: '查看用量、收入、成本与毛利' },
  'ledger.read': { en: 'Prove the books, read the journal', zh: '验证账簿、读取日志' },
  'ledger.write': { en: 'Resolve what could not be booked', zh: '处理无法入账的记录' },
  'jobs.read': { en: 'See jobs', zh: '查看任务' },
  'jobs.write': { en: 'Cancel jobs and begin them anew', zh: '取消任务、重新开始任务' },
  'audit.read': { en: 'See who did what', zh: '查看操作审计' },
} as const satisfies Readonly<Record<string, { readonly en: string; readonly zh: string }>>;

export type Permission = keyof typeof PERMISSIONS;

export const PERMISSION_NAMES: readonly Permission[] = Object.keys(PERMISSIONS).filter(isPermission);

export function isPermission(name: string): name is Permission {
  return Object.hasOwn(PERMISSIONS, name);
}

interface RoleEntry {
  readonly title: { readonly en: string; readonly zh: string };
  readonly may: readonly Permission[];
}

const READS = PERMISSION_NAMES.filter(name => name.endsWith('.read'));

/** Who may what. A role is of the whole node, or of one organization: then only what belongs to it. */
export const ROLES = {
  owner: { title: { en: 'Owner of the home', zh: '主目录所有者' }, may: PERMISSION_NAMES },
  admin: {
    title: { en: 'Administrator', zh: '管理员' },
    // What touches files of the server is done on the machine itself: a key must not become a hand on its disk.
    may: PERMISSION_NAMES.filter(name => name !== 'node.backup'),
  },
  operator: {
    title: { en: 'Operator', zh: '运维' },
    may: [
      ...(['node.read', 'organizations.read', 'keys.read', 'models.read', 'models.write', 'providers.read'] as const),
      ...(['providers.write', 'config.apply', 'usage.read', 'jobs.read', 'jobs.write'] as const),
    ],
  },
  finance: {
    title: { en: 'Finance', zh: '财务' },
    may: [
      ...(['organizations.read', 'wallets.read', 'wallets.write', 'models.read'] as const),
      ...(['usage.read', 'ledger.read', 'ledger.write'] as const),
    ],
  },
  developer: {
    title: { en: 'Developer', zh: '开发者' },
    may: ['organizations.read', 'keys.read', 'keys.write', 'models.read', 'usage.read', 'wallets.read'],
  },
  auditor: { title: { en: 'Auditor', zh: '审计员' }, may: READS },
  member: { title: { en: 'Member', zh: '成员' }, may: ['models.read'] },
} as const satisfies Readonly<Record<string, RoleEntry>>;

export type Role = keyof typeof ROLES;

export function isRole(name: string): name is Role {
  return Object.hasOwn(ROLES, name);
}

export const ROLE_NAMES: readonly Role[] = Object.keys(ROLES).filter(isRole);

export function roleMay(role: Role, permission: Permission): boolean {
  const may: readonly Permission[] = ROLES[role].may;
  return may.includes(permission);
}
