// What a price is and what it makes of usage: versions named by their hash, rating, the worst case that a hold covers.
// It must not know models, requests or where prices are kept.
export * from './price-version.ts';
export * from './rate.ts';
