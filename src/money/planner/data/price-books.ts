import type { PriceWhenSpec } from '@millrace/contract';
import type { Trust } from '../hardware.ts';
import { type PriceBook, priceBook, type TokenRates } from '../price-book.ts';
import { parseMoney } from '../quantity.ts';

/** Cache hit, miss, output: "0.14 0.55 2.19" of `currency` per million tokens. */
function rates(currency: string, text: string): TokenRates {
  const [hit, miss, output] = text
    .split(' ')
    .map(value => parseMoney('price', `${value} ${currency}/Mtok`, 'tokenPrice').nano);
  return { hitNano: hit ?? 0n, missNano: miss ?? 0n, outputNano: output ?? 0n };
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly currency: string;
  readonly base: string;
  readonly bands?: readonly {
    readonly name: string;
    readonly rates: string;
    readonly when: PriceWhenSpec;
  }[];
  readonly source: string;
  readonly date: string;
  readonly trust?: Trust;
}

function book(row: Row): PriceBook {
  const bands = (row.bands ?? []).map(band => ({ ...band, rates: rates(row.currency, band.rates) }));
  return priceBook({ ...row, base: rates(row.currency, row.base), bands, trust: row.trust ?? 'vendor' });
}

const BEIJING = { timeZone: 'Asia/Shanghai' } as const;
const NIGHT_2025: PriceWhenSpec = { ...BEIJING, hours: '00:30-08:30' };
// Peak 01:00-04:00 and 06:00-10:00 UTC. From 2026-08-16 every day; from 2026-09-10 Monday to Friday except Chinese public holidays.
const PEAK: PriceWhenSpec = { ...BEIJING, hours: ['09:00-12:00', '14:00-18:00'] };
const WORKDAY_PEAK: PriceWhenSpec = {
  ...PEAK,
  days: ['mon', 'tue', 'wed', 'thu', 'fri'],
  calendar: 'cn',
  holidays: 'except',
};
const API_DOCS = 'api-docs.deepseek.com';

const ROWS: readonly Row[] = [
  {
    id: 'deepseek-v3-2025-02-09',
    name: 'DeepSeek-V3',
    currency: 'USD',
    base: '0.07 0.27 1.10',
    source: API_DOCS,
    date: '2025-02-09',
  },
  {
    id: 'deepseek-r1-2025-02-09',
    name: 'DeepSeek-R1',
    currency: 'USD',
    base: '0.14 0.55 2.19',
    source: API_DOCS,
    date: '2025-02-09',
  },
  {
    id: 'deepseek-v3-cny-2025-02-09',
    name: 'DeepSeek-V3',
    currency: 'CNY',
    base: '0.5 2 8',
    source: API_DOCS,
    date: '2025-02-09',
  },
  {
    id: 'deepseek-r1-cny-2025-02-09',
    name: 'DeepSeek-R1',
    currency: 'CNY',
    base: '1 4 16',
    source: API_DOCS,
    date: '2025-02-09',
  },
  {
    id: 'deepseek-r1-2025-02-26',
    name: 'DeepSeek-R1, night discount',
    currency: 'USD',
    base: '0.14 0.55 2.19',
    bands: [{ name: 'night', rates: '0.035 0.135 0.55', when: NIGHT_2025 }],
    source: API_DOCS,
    date: '2025-02-26',
  },
  {
    id: 'deepseek-v3-2025-02-26',
    name: 'DeepSeek-V3, night discount',
    currency: 'USD',
    base: '0.07 0.27 1.10',
    bands: [{ name: 'night', rates: '0.035 0.135 0.55', when: NIGHT_2025 }],
    source: API_DOCS,
    date: '2025-02-26',
  },
  {
    id: 'deepseek-night-2025-02-26',
    name: 'DeepSeek R1/V3 at night rates',
    currency: 'USD',
    base: '0.035 0.135 0.55',
    source: API_DOCS,
    date: '2025-02-26',
  },
  {
    id: 'deepseek-v3.1-2025-09-05',
    name: 'DeepSeek-V3.1',
    currency: 'USD',
    base: '0.07 0.56 1.68',
    source: `${API_DOCS} news`,
    date: '2025-09-05',
  },
  {
    id: 'deepseek-v3.2-2025-09-29',
    name: 'DeepSeek-V3.2',
    currency: 'USD',
    base: '0.028 0.28 0.42',
    source: 'benchlm.ai, awesomeagents.ai',
    date: '2025-09-29',
    trust: 'press',
  },
  {
    id: 'deepseek-v4-flash-2026-04-26',
    name: 'DeepSeek V4 Flash',
    currency: 'USD',
    base: '0.0028 0.14 0.28',
    source: 'chaobro.com, copies of api-docs',
    date: '2026-04-26',
    trust: 'press',
  },
  {
    id: 'deepseek-v4-flash-2026-08-16',
    name: 'DeepSeek V4 Flash, peak and off-peak',
    currency: 'USD',
    base: '0.007 0.22 0.66',
    bands: [{ name: 'peak', rates: '0.014 0.44 1.32', when: PEAK }],
    source: 'apidog, models.dev PR #4891',
    date: '2026-08-16',
    trust: 'press',
  },
  {
    id: 'deepseek-v4-pro-2026-08-16',
    name: 'DeepSeek V4 Pro, peak and off-peak',
    currency: 'USD',
    base: '0.022 0.66 1.98',
    bands: [{ name: 'peak', rates: '0.044 1.32 3.96', when: PEAK }],
    source: 'apidog, models.dev PR #4891',
    date: '2026-08-16',
    trust: 'press',
  },
  {
    id: 'deepseek-v4.1-flash-2026-09-10',
    name: 'DeepSeek V4.1 Flash, peak on workdays',
    currency: 'USD',
    base: '0.003 0.15 0.60',
    bands: [{ name: 'peak', rates: '0.006 0.30 1.20', when: WORKDAY_PEAK }],
    source: 'apiyi docs',
    date: '2026-09-10',
    trust: 'press',
  },
];

export const PRICE_BOOKS: readonly PriceBook[] = ROWS.map(book);
