import * as z from 'zod';
import { currencyText, noteText, signedAmountText } from './values.ts';

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
/** `booked` is false where the same idempotency key was booked before. */
export const creditedSchema = walletViewSchema.extend({ booked: z.boolean() });

export type WalletView = z.output<typeof walletViewSchema>;
