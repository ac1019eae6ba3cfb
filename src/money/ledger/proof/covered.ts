import type { Database } from '../../../ground/store/index.ts';
import { SERIES_COLUMNS } from '../loading/series.ts';
import { ATTEMPT_COLUMNS, REQUEST_COLUMNS } from '../loading/settled-rows.ts';

/**
 * How the proof would find that a column was changed by hand: `chain`: the hash over all that is booked covers it; `recomputed` from what
 * the chain covers; `hash`: its name is the hash of it; `not`: it would not. A test holds this list against the columns that there
 * are, so that a new one must be decided; the page of decisions tells what is not covered.
 */
export type Coverage = 'chain' | 'recomputed' | 'hash' | 'not';

type Covered = { readonly [T in keyof Database]?: Readonly<Record<string, Coverage>> };

const all = (columns: readonly string[], how: Coverage) => Object.fromEntries(columns.map(name => [name, how]));

export const COVERED: Covered = {
  requests: all(REQUEST_COLUMNS, 'chain'),
  attempts: all(ATTEMPT_COLUMNS, 'chain'),
  series: all(SERIES_COLUMNS, 'chain'),
  transfers: all(
    ['seq', 'kind', 'debit', 'credit', 'amount_nano', 'booked_us', 'idem_key', 'reverses_seq', 'note'],
    'chain',
  ),
  chain: all(['last_seq', 'hash'], 'chain'),
  ledger_head: all(['id', 'seq', 'hash'], 'chain'),
  balances: all(['account_id', 'posted_nano', 'posted_carry', 'held_nano'], 'recomputed'),
  accounts: {
    ...all(['id', 'kind', 'currency'], 'recomputed'),
    ...all(['organization_id', 'min_balance_nano'], 'not'),
  },
  price_versions: { version: 'hash', content: 'hash', created_us: 'not' },
  /** Of hours that are over, by organization and currency. */
  usage_hourly: {
    ...all(['requests', 'failed', 'input_tokens', 'cached_input_tokens'], 'recomputed'),
    ...all(['output_tokens', 'reasoning_tokens', 'revenue_nano', 'revenue_carry'], 'recomputed'),
    ...all(['cost_nano', 'cost_carry', 'costed'], 'recomputed'),
    ...all(['series', 'hour_us'], 'not'),
  },
  key_spend: all(['key_id', 'period', 'currency', 'spent_nano', 'spent_carry', 'held_nano'], 'not'),
  holds: {
    ...all(['request_id', 'account_id', 'amount_nano', 'state', 'expires_us'], 'recomputed'),
    ...all(['node_id', 'intent', 'progress'], 'not'),
  },
  leases: {
    ...all(['account_id', 'amount_nano', 'lapsed_nano', 'uncovered_nano'], 'recomputed'),
    ...all(['node_id', 'granted_nano'], 'not'),
  },
  journal_cursor: { ...all(['node_id', 'seq'], 'recomputed'), ...all(['epoch', 'state'], 'not') },
  price_list: all(['kind', 'subject_id', 'position', 'version'], 'not'),
  price_history: all(['revision', 'kind', 'subject_id', 'at_us', 'versions'], 'not'),
  suspense: all(['number', 'kind', 'node_id', 'seq', 'request_id', 'at_us', 'reason', 'content'], 'not'),
  suspense_ends: all(['number', 'how', 'at_us', 'note'], 'not'),
};
