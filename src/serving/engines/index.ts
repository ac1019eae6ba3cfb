// What makes tokens: upstreams over HTTP, and the hosts of embedded engines. It must not know prices, wallets or callers.
export * from './http/index.ts';
export * from './llama/index.ts';
