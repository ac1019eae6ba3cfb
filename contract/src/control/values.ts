import * as z from 'zod';
import { parseDate } from '../dates.ts';
import { MODEL_ID, SLUG } from '../ids.ts';
import { isCurrency, NANO_PER_UNIT, parseAmount } from '../money.ts';

/** ISO 8601 in UTC: how every time of an answer is written. */
export const timeText = z.iso.datetime();

/** A rule for texts whose refusal is one clause in both languages: `"4x" is not a decimal number`. */
export function text(holds: (value: string) => boolean, refusal: { readonly en: string; readonly zh: string }) {
  return z.string().superRefine((value, context) => {
    if (holds(value)) return;
    // A password in a URL is not repeated.
    const plain = value.replace(/\/\/[^/@]*@/, '//***@');
    const shown = JSON.stringify(plain.length > 80 ? `${plain.slice(0, 80)}…` : plain);
    const zh = `“${shown.slice(1, -1)}”${refusal.zh}`;
    context.addIssue({ code: 'custom', message: `${shown} ${refusal.en}`, params: { zh } });
  });
}

function isUpstreamUrl(value: string): boolean {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return false;
  const url = new URL(value);
  return url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}

/** Text of a person's choice: shown, never parsed. No control characters, so that it cannot forge a line of a terminal or a log. */
const PLAIN = /^[^\p{Cc}]*$/u;

export const slugText = text(value => SLUG.test(value), {
  en: 'is not an id: use up to 64 of a-z, 0-9, "." "_" "-", starting and ending with a letter or digit',
  zh: '不是合法的 ID：只能用 a-z、0-9、“.”、“_”、“-”，最多 64 个字符，首尾须为字母或数字',
});
export const modelIdText = text(value => MODEL_ID.test(value), {
  en: 'is not a model id: use up to 128 of letters, digits, "." "_" ":" "/" "@" "-", starting and ending with a letter or digit',
  zh: '不是合法的模型 ID：只能用字母、数字、“.”、“_”、“:”、“/”、“@”、“-”，最多 128 个字符，首尾须为字母或数字',
});
export const modelPatternText = text(value => MODEL_ID.test(value.replace(/\*$/, 'x')), {
  en: 'is neither a model id nor one with a trailing "*"',
  zh: '既不是模型 ID，也不是以 “*” 结尾的模型 ID 前缀',
});
export const currencyText = text(isCurrency, {
  en: 'is not a currency code of ISO 4217, such as CNY or USD',
  zh: '不是 ISO 4217 币种代码，例如 CNY 或 USD',
});
/** Zero or more, in units of the currency. */
export const amountText = text(value => (parseAmount(value) ?? -1n) >= 0n && !value.startsWith('-'), {
  en: 'is not an amount: use a decimal number such as 12.5, up to 1000000000, with at most nine decimals',
  zh: '不是合法的金额：请使用 12.5 这样的十进制数，最大 1000000000，最多九位小数',
});
export const positiveAmountText = text(value => (parseAmount(value) ?? 0n) > 0n, {
  en: 'is not an amount above zero: use a decimal number such as 12.5, up to 1000000000, with at most nine decimals',
  zh: '不是大于零的金额：请使用 12.5 这样的十进制数，最大 1000000000，最多九位小数',
});
/** Never zero. */
export const signedAmountText = text(value => (parseAmount(value) ?? 0n) !== 0n, {
  en: 'is not an amount other than zero: use a decimal number such as 12.5 or -5, up to 1000000000, with at most nine decimals',
  zh: '不是非零的金额：请使用 12.5 或 -5 这样的十进制数，绝对值最大 1000000000，最多九位小数',
});
/** Dearest price per million tokens that is taken: a larger one is a slip of the pen. */
const PRICE_MAX = 1_000_000n * NANO_PER_UNIT;
export const priceText = text(
  value => {
    const nano = parseAmount(value);
    return nano !== undefined && !value.startsWith('-') && nano <= PRICE_MAX;
  },
  {
    en: 'is not a price: use a decimal number such as 0.5, from 0 to 1000000, with at most nine decimals',
    zh: '不是合法的价格：请使用 0.5 这样的十进制数，0 到 1000000，最多九位小数',
  },
);
export const dateText = text(value => parseDate(value) !== undefined, {
  en: 'is not a date: use 2026-01-31 (midnight UTC) or 2026-01-31T08:00:00+08:00',
  zh: '不是日期：请使用 2026-01-31（UTC 零点）或 2026-01-31T08:00:00+08:00',
});
export const upstreamUrlText = text(isUpstreamUrl, {
  en: 'is not a base URL: use http:// or https://, without user, query or fragment',
  zh: '不是基础 URL：请以 http:// 或 https:// 开头，且不含用户名、查询参数或片段',
});
/** Not repeated where it is refused: it is a secret. */
export const secretText = z
  .string()
  .min(1)
  .max(8_192)
  .superRefine((value, context) => {
    // One word of a header (RFC 6750 §2.1), as all that uses it sends it.
    if (/^[\x21-\x7e]*$/.test(value)) return;
    context.addIssue({
      code: 'custom',
      message: 'holds a blank or another character that no key in an HTTP header can hold, such as a line break',
      params: { zh: '包含空格或 HTTP 头中的密钥不允许的其他字符（如换行）' },
    });
  });
export const nameText = text(value => PLAIN.test(value) && value.trim() !== '' && value.length <= 200, {
  en: 'is not a name: use 1 to 200 characters without line breaks',
  zh: '不是合法的名称：请使用 1 到 200 个字符，且不含换行',
});
export const noteText = text(value => PLAIN.test(value) && value.length <= 200, {
  en: 'is not a note: use up to 200 characters without line breaks',
  zh: '不是合法的备注：最多 200 个字符，且不含换行',
});
/** A count in a query, where all is text. */
export const countText = text(value => /^\d{1,9}$/.test(value), { en: 'is not a whole number', zh: '不是整数' });
/** Entries of one page. */
export const limitText = countText.transform(Number).pipe(z.int().min(1).max(1_000)).default(100);
export const cursorText = text(value => /^\d{1,18}-\d{1,18}$/.test(value), {
  en: 'is not the `next` of a page',
  zh: '不是上一页返回的 `next`',
});
