// The data plane: one file per stage of a request's life (http → authenticate → decode → plan → admit → attempt → meter →
// settle → respond), run on threads of its own. It must not touch the store, wait for a disk, or know who administers it.

export { type GatewayOptions, type GatewayThreads, startGatewayThreads } from './gateway-threads.ts';
export type { SupplyAnswer, SupplyRequest } from './shared-admission.ts';
export type { Need } from './shortfall.ts';
