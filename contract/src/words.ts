// What needs no schemas: ids, money, meters, dates, fault codes. For threads that serve requests, where each loaded module is paid for at every start.
export * from './dates.ts';
export * from './faults.ts';
export * from './ids.ts';
export * from './key-holder-paths.ts';
export * from './meters.ts';
export * from './money.ts';
