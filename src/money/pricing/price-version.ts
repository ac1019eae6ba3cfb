import { createHash } from 'node:crypto';
import { type Currency, formatAmount, isCurrency, type Nano, parseAmount } from '@millrace/contract/words';
import { Fault } from '../../ground/std/index.ts';

/** Meters a price can be set on. A meter that is used but not priced makes the request refused before it starts. */
export type Meter = 'input' | 'cachedInput' | 'output';

/** One immutable version of the prices of a model (kind `sell`) or of a deployment (kind `cost`). */
export interface PriceVersion {
  /** Hex SHA-256 of the canonical content: the version's name, and the proof that it never changed. */
  readonly version: string;
  readonly currency: Currency;
  /** Nano per 1,000,000 tokens. `cachedInput` absent: cached tokens are charged as `input`. */
  readonly nanoPerMillion: { readonly input: Nano; readonly cachedInput?: Nano; readonly output: Nano };
  /** ms since the epoch; the version with the latest start that is not in the future is in force. */
  readonly effectiveFromMs: number;
  readonly rounding: 'ceil' | 'half-even';
}

/** A price as people write it: units of currency per million tokens, as decimal strings. */
export interface PriceInput {
  readonly currency: string;
  readonly inputPerM: string;
  readonly cachedInputPerM?: string | undefined;
  readonly outputPerM: string;
  /** `2026-01-01` or an ISO time; absent: in force from the beginning. */
  readonly effectiveFrom?: string | undefined;
  readonly rounding?: PriceVersion['rounding'] | undefined;
}

/** Dearest price that is taken: a million units per million tokens. A larger one is a slip of the pen. */
const PRICE_NANO_MAX = 1_000_000_000_000_000n;

/** What is hashed and kept. `of` names whose price it is: the same figures for two models are two versions. */
interface Content {
  readonly of: string;
  readonly currency: string;
  readonly input: string;
  readonly cachedInput: string | null;
  readonly output: string;
  readonly effectiveFromMs: number;
  readonly rounding: PriceVersion['rounding'];
}

/** Checks a price and makes its immutable version. `path` leads to the field in messages. Throws Fault `config_invalid`. */
export function priceVersionOf(
  input: PriceInput,
  of: string,
  path: string,
): { readonly version: PriceVersion; readonly content: string } {
  if (!isCurrency(input.currency))
    throw invalid(
      `${path}.currency`,
      `"${input.currency}" is no currency code such as CNY`,
      `“${input.currency}”不是币种代码（如 CNY）`,
    );
  const cachedInput =
    input.cachedInputPerM === undefined ? null : priceNano(input.cachedInputPerM, `${path}.cachedInputPerM`);
  const content: Content = {
    of,
    currency: input.currency,
    input: priceNano(input.inputPerM, `${path}.inputPerM`),
    cachedInput,
    output: priceNano(input.outputPerM, `${path}.outputPerM`),
    effectiveFromMs: input.effectiveFrom === undefined ? 0 : timeMs(input.effectiveFrom, `${path}.effectiveFrom`),
    rounding: input.rounding ?? 'ceil',
  };
  const text = JSON.stringify(content);
  return { version: readPriceVersion(text), content: text };
}

export function hashPriceContent(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

export function readPriceVersion(text: string): PriceVersion {
  const content: Content = JSON.parse(text);
  return {
    version: hashPriceContent(text),
    currency: content.currency,
    nanoPerMillion: {
      input: BigInt(content.input),
      ...(content.cachedInput === null ? {} : { cachedInput: BigInt(content.cachedInput) }),
      output: BigInt(content.output),
    },
    effectiveFromMs: content.effectiveFromMs,
    rounding: content.rounding,
  };
}

/** The price as people write it, for showing a difference. */
export function showPrice({
  currency,
  nanoPerMillion: { input, cachedInput, output },
  effectiveFromMs,
}: PriceVersion): string {
  const cached = cachedInput === undefined ? '' : `/${formatAmount(cachedInput)}`;
  const from =
    effectiveFromMs === 0 ? '' : ` from ${new Date(effectiveFromMs).toISOString().replace('T00:00:00.000Z', '')}`;
  return `${formatAmount(input)}${cached}/${formatAmount(output)} ${currency}${from}`;
}

function priceNano(text: string, path: string): string {
  const nano: Nano | undefined = parseAmount(text);
  if (nano === undefined || nano < 0n || nano > PRICE_NANO_MAX)
    throw invalid(
      path,
      `"${text}" is not a price: use a decimal number such as 0.5, from 0 to 1000000, with at most nine decimals`,
      `“${text}”不是合法的价格：请使用 0.5 这样的十进制数，0 到 1000000，最多九位小数`,
    );
  return nano.toString();
}

function timeMs(text: string, path: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  // Date.parse takes the 31st of February for a day in March.
  if (Number.isNaN(ms) || (text.length === 10 && new Date(ms).toISOString().slice(0, 10) !== text))
    throw invalid(
      path,
      `"${text}" is not a date such as 2026-01-01 or 2026-01-01T08:00:00+08:00`,
      `“${text}”不是日期（如 2026-01-01 或 2026-01-01T08:00:00+08:00）`,
    );
  return ms;
}

export function invalid(path: string, en: string, zh: string): Fault {
  return new Fault('config_invalid', { message: `${path}: ${en}`, messageZh: `${path}：${zh}`, param: path });
}
