// Wire grammars. A codec is pure and synchronous; it must not know a provider by name, a price or a socket.
export * from './codec.ts';
