// The data plane: one file per stage of a request's life (http → authenticate → decode → plan → admit → attempt → meter →
// settle → respond), run on threads of its own. It must not touch the store, wait for a disk, or know who administers it.

export type { UpstreamFailure } from './stages/failures.ts';
export type { Need } from './stages/shortfall.ts';
export { type GatewayOptions, type GatewayThreads, startGatewayThreads } from './threads/gateway-threads.ts';
export type { SupplyAnswer, SupplyRequest } from './threads/shared-admission.ts';
