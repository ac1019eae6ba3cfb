// What needs no schemas: ids, money, fault codes. For threads that serve requests, where each loaded module is paid for at every start.
export * from './faults.ts';
export * from './ids.ts';
export * from './key-holder-paths.ts';
export * from './money.ts';
