// Who did what: an append-only log, each entry with the hash of the one before it. It must not know what the actions mean.

export * from './audit.ts';
export { AUDIT_SCHEMA } from './audit-schema.ts';
