import type { Currency, Nano } from '@millrace/contract';
import type { Words } from '../case-result.ts';

export type Language = 'en' | 'zh';

export const say = (words: Words, lang: Language): string => words[lang];

interface Step {
  readonly from: number;
  readonly divisor: number;
  readonly name: string;
}

const step = (divisor: number, name: string, from = divisor): Step => ({ from, divisor, name });
// English keeps thousands as digits up to 9,999; Chinese counts in 万 from there.
const EN_STEPS: readonly Step[] = [step(1e12, ' T'), step(1e9, ' G'), step(1e6, ' M'), step(1e3, ' k', 1e4)];
const ZH_STEPS: readonly Step[] = [step(1e12, ' 万亿'), step(1e8, ' 亿'), step(1e4, ' 万')];

/** Four digits that carry the meaning: thousands grouped, large numbers in the language's own steps (万 and 亿 in Chinese). */
export function formatNumber(value: number, lang: Language): string {
  if (value === Number.POSITIVE_INFINITY) return '∞';
  if (value === Number.NEGATIVE_INFINITY) return '−∞';
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : '';
  const found = (lang === 'zh' ? ZH_STEPS : EN_STEPS).find(candidate => size >= candidate.from);
  if (found) return `${sign}${trim(size / found.divisor)}${found.name}`;
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

/** Published figures as they were published: up to seven digits, grouped, never abbreviated. */
export function formatExact(value: number): string {
  const [whole = '', fraction] = String(Number(Math.abs(value).toPrecision(Math.abs(value) >= 1e6 ? 7 : 6))).split('.');
  return `${value < 0 ? '−' : ''}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${fraction === undefined ? '' : `.${fraction}`}`;
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

// Citations stay in the language of their source; the words around them do not.
const PHRASES: readonly (readonly [en: string, zh: string])[] = [
  ['arithmetic on cited figures', '由已注明出处的数字推算'],
  ['arithmetic on ', '推算自 '],
  ['price calendar applied to evenly spread demand', '把价格日历套用到全天均匀的需求'],
  [', same tokens', '，词元量不变'],
  ['one weak secondary source', '仅有一个不可靠的二手来源'],
  ['"4,000 machines of 8 × H800": in no source reached', '“4000 台 8×H800 机器”：未找到任何出处'],
  ['; model, load curve and head-room assumed', '；模型、负载曲线与余量为假定'],
  ['data sheet', '数据手册'],
  [' as copied by ', '，转引自 '],
  ['carried over from the H800, not measured', '沿用 H800 的效率，未实测'],
  ['of its efficiency', '倍效率'],
  ['fit to InferSim bench_data', '按 InferSim bench_data 拟合'],
  ['both ways', '双向合计'],
  ['press (no public', '媒体报道（无公开'],
  ['variants differ', '各型号有差异'],
  ['8-bit is INT8', '8 位指 INT8'],
  ['(this row calibrated ', '（该行用于标定 '],
  [' measured by ', ' 实测来自 '],
  [' rows', ' 数据'],
  ['published', '公布值'],
  ['implied', '反推值'],
  ['scenario', '方案自填'],
];

/** A source or a remark about one, its connecting words translated. */
export function citation(text: string, lang: Language): string {
  if (lang === 'en') return text;
  return PHRASES.reduce((line, [en, zh]) => line.replaceAll(en, zh), text);
}
