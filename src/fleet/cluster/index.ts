// Many nodes on one database: leases on wallets and budgets, shares of keys' limits, news between nodes. It must not know how
// a request runs or what it costs: it fills the cells that admission takes from.
export { assertSecrets } from './assert-secrets.ts';
export { type Cluster, type ClusterStatus, joinCluster } from './cluster.ts';
export { createLeasing, type Leasing } from './leasing.ts';
