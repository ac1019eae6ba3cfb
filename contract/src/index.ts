// The vocabulary that servers, the SDK and browsers share: ids, money, fault codes, schemas of the control API.
// It must not know anything that runs only on a server, and imports nothing of ours.
export * from './control/index.ts';
export * from './words.ts';
