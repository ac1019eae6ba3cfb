import type { Architecture } from './architecture.ts';
import { BadInput } from './bad-input.ts';
import type { Words } from './case-result.ts';
import { ARCHITECTURES } from './data/architectures.ts';
import { HARDWARE } from './data/hardware.ts';
import { PRICE_BOOKS } from './data/price-books.ts';
import { type DemandProfile, PROFILES } from './data/profiles.ts';
import type { Hardware } from './hardware.ts';
import type { PriceBook } from './price-book.ts';

function find<Row extends { readonly id: string }>(field: string, what: Words, rows: readonly Row[], id: string): Row {
  const row = rows.find(candidate => candidate.id === id);
  if (!row)
    throw new BadInput(
      field,
      `unknown ${what.en} "${id}"; known are ${rows.map(candidate => candidate.id).join(', ')}`,
      `未知${what.zh}“${id}”，可用 ${rows.map(candidate => candidate.id).join('、')}`,
    );
  return row;
}

/** Rows of the data files by id. Each throws {@link BadInput} that lists the known ids. */
export const findArchitecture = (field: string, id: string): Architecture =>
  find(field, { en: 'model', zh: '模型' }, ARCHITECTURES, id);
export const findHardware = (field: string, id: string): Hardware =>
  find(field, { en: 'hardware', zh: '硬件' }, HARDWARE, id);
export const findPriceBook = (field: string, id: string): PriceBook =>
  find(field, { en: 'price book', zh: '价目表' }, PRICE_BOOKS, id);
export const findProfile = (field: string, id: string): DemandProfile =>
  find(field, { en: 'demand profile', zh: '需求曲线' }, PROFILES, id);
