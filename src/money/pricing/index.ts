// What a price is and what it makes of usage: versions named by their hash, rules and their calendars, rating, the worst case
// that a hold covers. It must not know models, requests or where prices are kept.
export { findCalendar, type HolidayCalendar } from './data/calendars.ts';
export { type HoldBounds, holdNano } from './hold.ts';
export { invalid } from './invalid-price.ts';
export { type PriceInput, priceVersionOf } from './parse-price.ts';
export { priceInForce } from './price-in-force.ts';
export {
  type FlatPrice,
  hashPriceContent,
  type PriceVersion,
  type RuledPrice,
  readPriceVersion,
} from './price-version.ts';
export { type RateContext, type Rated, type RatedLine, rate } from './rate.ts';
export { lineNano, type Rounding, roundDivide } from './rounding.ts';
export { showPrice } from './show-price.ts';
export { unitPriceNano } from './unit-price.ts';
export { checkUsage, mergeUsage, unitsOf } from './usage-vector.ts';
