// Who calls, as a gateway thread knows it: the record of a key with its limits, the index that finds it by its text, what its scopes
// allow. It must not know the store, nor how keys are made and kept.
export * from './caller.ts';
export * from './caller-index.ts';
export * from './key-text.ts';
