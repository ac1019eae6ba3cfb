import type { Currency, Nano } from '@millrace/contract';
import type { Words } from '../case-result.ts';

export type Language = 'en' | 'zh';

export const say = (words: Words, lang: Language): string => words[lang];

const EN_STEPS: readonly (readonly [number, string])[] = [
  [1e12, ' T'],
  [1e9, ' G'],
  [1e6, ' M'],
  [1e4, ' k'],
];
const ZH_STEPS: readonly (readonly [number, string])[] = [
  [1e12, ' 万亿'],
  [1e8, ' 亿'],
  [1e4, ' 万'],
];

/** Four digits that carry the meaning: thousands grouped, large numbers in the language's own steps (万 and 亿 in Chinese). */
export function formatNumber(value: number, lang: Language): string {
  if (value === Number.POSITIVE_INFINITY) return '∞';
  if (value === Number.NEGATIVE_INFINITY) return '−∞';
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : '';
  for (const [step, name] of lang === 'zh' ? ZH_STEPS : EN_STEPS) {
    if (size >= step) return `${sign}${trim(size / step)}${name}`;
  }
  return sign + trim(size);
}

function trim(size: number): string {
  if (size === 0) return '0';
  const digits =
    size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : Math.min(8, 3 - Math.floor(Math.log10(size)));
  const [whole = '', fraction = ''] = size.toFixed(digits).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  const rest = fraction.replace(/0+$/, '');
  return rest === '' ? grouped : `${grouped}.${rest}`;
}

export function formatPercent(share: number, lang: Language): string {
  return `${formatNumber(share * 100, lang)}${lang === 'zh' ? '%' : ' %'}`;
}

const CURRENCY_ZH: Readonly<Record<string, string>> = { CNY: '元', USD: '美元', EUR: '欧元', JPY: '日元', HKD: '港元' };

export function currencyName(currency: Currency, lang: Language): string {
  return lang === 'zh' ? (CURRENCY_ZH[currency] ?? currency) : currency;
}

export function formatMoney(nano: Nano, currency: Currency, lang: Language): string {
  return `${formatNumber(Number(nano) / 1e9, lang)} ${currencyName(currency, lang)}`;
}

export function formatSeconds(seconds: number, lang: Language): string {
  if (!Number.isFinite(seconds)) return lang === 'zh' ? '无上限（排队无限增长）' : 'unbounded (the queue grows)';
  return seconds < 1 ? `${formatNumber(seconds * 1000, lang)} ms` : `${formatNumber(seconds, lang)} s`;
}
