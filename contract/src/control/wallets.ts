import * as z from 'zod';
import { route } from './route.ts';
import { countText, currencyText, limitText, noteText, signedAmountText, timeText } from './values.ts';

export const walletViewSchema = z.object({
  currency: z.string(),
  balance: z.string(),
  /** Set aside for requests that run. */
  held: z.string(),
  available: z.string(),
});
export const walletListSchema = z.object({ wallets: z.array(walletViewSchema) });
export const creditSchema = z.strictObject({
  currency: currencyText,
  /** Above zero: a top-up; below: a correction. */
  amount: signedAmountText,
  note: noteText.exactOptional(),
  /** Sent twice, it is credited once. */
  idempotencyKey: noteText.min(1).exactOptional(),
});
export const walletEntryQuerySchema = z.strictObject({
  currency: currencyText.exactOptional(),
  limit: limitText,
  /** `next` of the page before. */
  cursor: countText.transform(Number).exactOptional(),
});
export const walletEntrySchema = z.object({
  seq: z.number(),
  at: timeText,
  /** `credit` a top-up, `config-credit` one that a configuration states, `debit` a correction, `reversal` a request's cost given back. */
  kind: z.string(),
  currency: z.string(),
  /** Above zero what came in, below what was taken. */
  amount: z.string(),
  note: z.string().nullable(),
  idempotencyKey: z.string().nullable(),
});
export const walletEntryListSchema = z.object({
  /** Newest first. What requests cost is in the usage. */
  entries: z.array(walletEntrySchema),
  next: z.string().nullable(),
});
/** `booked` is false where the same idempotency key was booked before. */
export const creditedSchema = walletViewSchema.extend({ booked: z.boolean() });

export type WalletView = z.output<typeof walletViewSchema>;
export type WalletEntryView = z.output<typeof walletEntrySchema>;

export const walletRoutes = {
  list: route({
    method: 'GET',
    path: '/api/v1/organizations/:organization/wallets',
    permission: 'wallets.read',
    tenant: { param: 'organization' },
    summary: { en: 'Balances', zh: '钱包余额' },
    answer: walletListSchema,
  }),
  entries: route({
    method: 'GET',
    path: '/api/v1/organizations/:organization/wallets/entries',
    permission: 'wallets.read',
    tenant: { param: 'organization' },
    summary: {
      en: 'What was credited and debited, newest first, with its notes',
      zh: '充值与扣款记录（含备注），最新的在前',
    },
    query: walletEntryQuerySchema,
    answer: walletEntryListSchema,
    paging: 'cursor',
  }),
  credit: route({
    method: 'POST',
    path: '/api/v1/organizations/:organization/wallets/credit',
    permission: 'wallets.write',
    tenant: { param: 'organization' },
    summary: {
      en: 'Credits a wallet, or debits it with a negative amount; once for each idempotencyKey: 200 with `booked` false where it was',
      zh: '为钱包充值（金额为负则扣款）；每个 idempotencyKey 只入账一次，已入账时返回 200 且 `booked` 为 false',
    },
    body: creditSchema,
    answer: creditedSchema,
    status: 201,
    idempotency: 'key',
    audit: 'wallet.credit',
  }),
} as const;
