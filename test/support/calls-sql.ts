/**
 * Every call of an upstream, as the books of a SQLite store have it: the one that a request's own row tells, and the rows of the
 * others. For checks from outside, which read the tables without the product's code.
 */
export const CALLS_SQL = `select r.seq as seq, r.id as request_id, 1 as number, s.deployment_id, r.call_status as status, r.call_outcome as outcome,
    r.input_tokens, r.output_tokens, r.cost_nano, r.upstream_request_id
    from requests r join series s on s.number = r.series where r.call_outcome is not null
  union all select a.seq, r.id, a.number, a.deployment_id, a.status, a.outcome, a.input_tokens, a.output_tokens, a.cost_nano, a.upstream_request_id
    from attempts a join requests r on r.seq = a.seq`;
