// Shapes of the control API, one file per resource. Amounts are decimal strings in units of their currency; times are ISO 8601 in UTC.
// What a client sends is strict: an unknown field is refused. It must not know how anything is done.

export * from './audit.ts';
export * from './config.ts';
export * from './error.ts';
export * from './jobs.ts';
export * from './key-holder.ts';
export * from './keys.ts';
export * from './ledger.ts';
export * from './models.ts';
export * from './node.ts';
export * from './organizations.ts';
export * from './permissions.ts';
export * from './prices.ts';
export * from './providers.ts';
export * from './route.ts';
export * from './routes.ts';
export * from './suspense.ts';
export * from './usage.ts';
export * from './values.ts';
export * from './wallets.ts';
