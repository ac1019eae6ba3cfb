// Floor 0: time, ids, faults, log, SSE, the grammar of HTTP, shared counters, outbound URLs. It must not know a word of the domain:
// no models, prices, tenants or dialects.
export * from './call-each.ts';
export * from './clock.ts';
export * from './copy-sqlite.ts';
export * from './crash-point.ts';
export * from './durable.ts';
export * from './egress.ts';
export { type AddressKind, addressKind } from './egress-address.ts';
export type { Resolve, ResolvedAddress } from './egress-names.ts';
export * from './every.ts';
export * from './fault.ts';
export * from './home-lock.ts';
export * from './home-secrets.ts';
export * from './http1/index.ts';
export * from './log.ts';
export * from './make-folder.ts';
export * from './nearest.ts';
export * from './no-space.ts';
export * from './secret.ts';
export * from './slot-pool.ts';
export * from './slots.ts';
export * from './sse.ts';
export * from './sse-write.ts';
export * from './stop-signals.ts';
export * from './term.ts';
export * from './uuid.ts';
