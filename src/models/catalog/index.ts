// Models, deployments, providers, and the price and cost books; `snapshot()` is what the data plane reads.
// It must not know wallets, keys, or how a request is served.
export * from './catalog.ts';
export * from './input.ts';
export { knownProviders, withKnownProviders } from './known-providers.ts';
export type { EngineDeployment } from './read-snapshot.ts';
export { createSeal, type Seal } from './seal.ts';
export * from './snapshot.ts';
