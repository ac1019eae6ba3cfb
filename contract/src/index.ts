// The vocabulary that servers, the SDK and browsers share: ids, money, fault codes, schemas of the control API.
// It must not know anything that runs only on a server, and imports nothing of ours.
export * from './control/index.ts';
export * from './faults.ts';
export * from './ids.ts';
export * from './meters.ts';
export * from './money.ts';
