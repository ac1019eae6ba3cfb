// Who serves a request, and when: the order of targets, whose turn a free place is, which target is left alone, who is tried next.
// Pure over a port of loads and a clock: it must know no socket, no catalog, no money, so that a simulator can run it as it is.
export * from './attempts.ts';
export * from './breaker.ts';
export * from './loads.ts';
export * from './order.ts';
export * from './queue.ts';
export * from './turns.ts';
