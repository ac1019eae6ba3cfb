// Models, deployments, providers, and the price and cost books; `snapshot()` is what the data plane reads.
// It must not know wallets, keys, or how a request is served.
export * from './snapshot.ts';
