/**
 * What the holder of a key may ask of it, with the key itself: its limits, what it spent, what is left. Beside a shape of our own the
 * ones that clients know: OpenRouter's `data`, and OpenAI's billing, which names US dollars whatever the currency is.
 */
export const KEY_HOLDER_PATHS = [
  '/v1/key',
  '/v1/dashboard/billing/subscription',
  '/v1/dashboard/billing/usage',
  '/v1/dashboard/billing/credit_grants',
] as const;
