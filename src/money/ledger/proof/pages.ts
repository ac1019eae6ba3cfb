import type { Selectable } from 'kysely';
import type { Database, Store } from '../../../ground/store/index.ts';
import type { Snapshot } from './snapshot.ts';

export type TransferRow = Selectable<Database['transfers']>;
export type AttemptRow = Omit<Selectable<Database['attempts']>, 'seq'>;
/** As it is stored. */
export type StoredAttempt = Selectable<Database['attempts']>;

/** A settled request with what its series says. */
export type RequestRow = Selectable<Database['requests']> &
  Omit<Selectable<Database['series']>, 'number' | 'organization_id'> & { readonly series_organization_id: string };

/** What was booked together a few times in a row, in order. */
export interface BookPage {
  /** All after `from`, up to `to`. */
  readonly from: bigint;
  readonly to: bigint;
  readonly links: readonly Selectable<Database['chain']>[];
  readonly transfers: ReadonlyMap<bigint, TransferRow>;
  readonly requests: ReadonlyMap<bigint, RequestRow>;
  /** By the number of their request, those of requests that are not there included. */
  readonly attempts: ReadonlyMap<bigint, readonly StoredAttempt[]>;
}

const LINKS = 100;
/** Transactions of a page; one link may have more. */
const TRANSACTIONS = 2_000n;

/** The books from their first transfer to the head of the snapshot, all of it insert-only, a page at a time. */
export async function* bookPages(store: Store, { headSeq }: Snapshot): AsyncGenerator<BookPage> {
  const { reader } = store;
  for (let from = 0n; from < headSeq; ) {
    const start = from;
    const next = await reader
      .selectFrom('chain')
      .selectAll()
      .where('last_seq', '>', from)
      .where('last_seq', '<=', headSeq)
      .orderBy('last_seq')
      .limit(LINKS)
      .execute();
    const links = next.filter(({ last_seq }, index) => index === 0 || last_seq - start <= TRANSACTIONS);
    // Without a link the rest is one page, which no hash covers.
    const to = links.at(-1)?.last_seq ?? headSeq;
    const transfers = await reader
      .selectFrom('transfers')
      .selectAll()
      .where('seq', '>', from)
      .where('seq', '<=', to)
      .execute();
    const requests = await selectRequests(store).where('seq', '>', from).where('seq', '<=', to).execute();
    const attempts = await reader
      .selectFrom('attempts')
      .selectAll()
      .where('seq', '>', from)
      .where('seq', '<=', to)
      .orderBy('seq')
      .orderBy('number')
      .execute();
    yield {
      from,
      to,
      links,
      transfers: new Map(transfers.map(row => [row.seq, row])),
      requests: new Map(requests.map(row => [row.seq, row])),
      attempts: Map.groupBy(attempts, ({ seq }) => seq),
    };
    from = to;
  }
}

export function selectRequests(store: Store) {
  return store.reader
    .selectFrom('requests')
    .innerJoin('series', 'series.number', 'requests.series')
    .selectAll('requests')
    .select(['project_id', 'key_id', 'operation', 'model', 'deployment_id', 'provider_id'])
    .select(['currency', 'price_version', 'cost_currency', 'cost_version'])
    .select('series.organization_id as series_organization_id');
}

/** All calls of upstreams of a request: the one that its own row tells, or the rows that there are. */
export function callsOf(row: RequestRow, attempts: readonly AttemptRow[] | undefined): readonly AttemptRow[] {
  const { call_outcome: outcome, call_status: status, call_ms } = row;
  if (outcome === null || status === null || call_ms === null) return attempts ?? [];
  const call = {
    number: 1n,
    deployment_id: row.deployment_id,
    provider_id: row.provider_id,
    status,
    outcome,
    input_tokens: row.input_tokens,
    cached_input_tokens: row.cached_input_tokens,
    output_tokens: row.output_tokens,
    reasoning_tokens: row.reasoning_tokens,
    cost_version: row.cost_version,
    cost_currency: row.cost_currency,
    cost_nano: row.cost_nano,
    upstream_request_id: row.upstream_request_id,
    duration_ms: call_ms,
    disputed_input_tokens: 0n,
    disputed_output_tokens: 0n,
    disputed_nano: null,
  };
  return attempts ? [call, ...attempts] : [call];
}
