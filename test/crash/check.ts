import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { formatAmount } from '@millrace/contract';
import { CALLS_SQL } from '../support/calls-sql.ts';
import { runCli } from '../support/server.ts';
import { CREDIT_NANO, CREDITS, PRICES, type World } from './world.ts';

/** What must be remembered from one check to the next: rows are insert-only, so each is looked at once. */
export interface Checker {
  /** Recovers the home by the control plane alone, has it prove its books, and holds them against what others saw. */
  check(): Promise<readonly string[]>;
  /** So far. */
  recovered(): number;
}

type Row = Readonly<Record<string, unknown>>;

export function createChecker(world: World): Checker {
  /** Calls of the provider that are an attempt in the books. */
  const booked = new Set<number>();
  let checkedSeq = 0n;
  let recovered = 0;
  return {
    recovered: () => recovered,
    async check() {
      // With the server's settings, so that recovery writes to short files as well.
      const { code, json, err } = await runCli(world.home, ['ledger', 'verify'], world.env);
      if (code !== 0) return [`ledger verify: ${err}${JSON.stringify(json['invariants'])}`];
      const db = new DatabaseSync(join(world.home, 'store.db'), { readOnly: true, readBigInts: true });
      try {
        const all = (text: string, ...values: (bigint | string)[]): Row[] => db.prepare(text).all(...values);
        const rows = all(
          'select r.*, s.model from requests r join series s on s.number = r.series where r.seq > ? order by r.seq',
          checkedSeq,
        );
        const attempts = Map.groupBy(all(`select * from (${CALLS_SQL}) where seq > ?`, checkedSeq), row =>
          String(row['request_id']),
        );
        recovered += rows.filter(row => row['outcome'] === 'recovered').length;
        const failures = [
          ...rows.flatMap(row => requestFailures(row, attempts.get(String(row['id'])) ?? [])),
          ...rows.flatMap(row =>
            providerFailures(world, row, { attempts: attempts.get(String(row['id'])) ?? [], booked }),
          ),
          ...seenFailures(world, all),
          ...bookFailures(world, all),
          ...phantoms(world, { booked, all }),
        ];
        checkedSeq = BigInt(String(rows.at(-1)?.['seq'] ?? checkedSeq));
        return failures;
      } finally {
        db.close();
      }
    },
  };
}

const big = (value: unknown) => BigInt(String(value));

/** I8, I11: what was used is within what was admitted, and costs what its model costs. */
function requestFailures(row: Row, attempts: readonly Row[]): string[] {
  const { id, model } = row;
  const price = PRICES[String(model)];
  if (!price) return [`${id}: an unknown model ${model}`];
  const [input, output] = [big(row['input_tokens']), big(row['output_tokens'])];
  const failures: string[] = [];
  if (big(row['amount_nano']) !== input * price.input + output * price.output)
    failures.push(`${id}: ${input} and ${output} tokens were charged ${row['amount_nano']}`);
  if (input < 0n || output < 0n || input > big(row['input_tokens_max']) || output > big(row['output_tokens_max']))
    failures.push(`${id}: ${input} and ${output} tokens are more than were admitted`);
  if (attempts.some(attempt => big(attempt['cost_nano'] ?? 0n) < 0n))
    failures.push(`${id}: an attempt costs less than nothing`);
  return failures;
}

/** I7, I10: each attempt is a call that the provider saw, no call is two attempts, and none has more tokens than were made. */
function providerFailures(
  { upstream }: World,
  { id, usage_source: source }: Row,
  { attempts, booked }: { readonly attempts: readonly Row[]; readonly booked: Set<number> },
): string[] {
  return attempts.flatMap(attempt => {
    const name = attempt['upstream_request_id'];
    if (name === null) return [];
    const seq = Number(String(name).slice('fake-'.length));
    const call = upstream.calls[seq];
    if (!call) return [`${id}: no call ${name} was seen by the provider`];
    if (booked.has(seq)) return [`${id}: the call ${name} is booked twice`];
    booked.add(seq);
    const [input, output] = [Number(attempt['input_tokens']), Number(attempt['output_tokens'])];
    const { promptTokens, completionTokens } = call.billed;
    if (output > completionTokens) return [`${id}: ${output} tokens of ${name}, which made ${completionTokens}`];
    const told = attempt['outcome'] === 'ok' && source === 'upstream';
    return told && (input !== promptTokens || output !== completionTokens)
      ? [`${id}: ${name} billed ${promptTokens} and ${completionTokens}, booked are ${input} and ${output}`]
      : [];
  });
}

/** No phantom among what was recovered: what it was charged for was made by calls that are no attempt by name. */
function phantoms(
  { upstream }: World,
  { booked, all }: { readonly booked: ReadonlySet<number>; readonly all: (text: string) => Row[] },
): string[] {
  const [lost] = all(
    `select count(*) as attempts, coalesce(sum(output_tokens), 0) as tokens from (${CALLS_SQL})
      where upstream_request_id is null and output_tokens > 0`,
  );
  const nameless = upstream.calls.filter(({ seq }) => !booked.has(seq));
  const made = nameless.reduce((sum, { billed }) => sum + billed.completionTokens, 0);
  return Number(lost?.['attempts']) > nameless.length || Number(lost?.['tokens']) > made
    ? [
        `${lost?.['attempts']} nameless attempts of ${lost?.['tokens']} tokens, by ${nameless.length} calls that made ${made}`,
      ]
    : [];
}

/** I6: what a client was told is in the books, once, as it was told. Told once, it is not asked for again. */
function seenFailures({ seen }: World, all: (text: string, ...values: string[]) => Row[]): string[] {
  const failures: string[] = [];
  const line = (id: string) => all('select amount_nano from requests where id = ?', id)[0]?.['amount_nano'];
  for (const [id, cost] of seen.costs) {
    const amount = line(id);
    if (amount === undefined) failures.push(`${id} was told its cost and is not booked`);
    else if (formatAmount(big(amount)) !== cost)
      failures.push(`${id} was told ${cost} and is booked with ${amount} nano`);
  }
  for (const id of seen.refused)
    if ((line(id) ?? 0n) !== 0n) failures.push(`${id} was told that it failed and is charged ${line(id)}`);
  for (const key of seen.credits)
    if (all('select seq from transfers where idem_key = ?', `credit:beta:${key}`).length !== 1)
      failures.push(`the credit ${key} was confirmed and is not booked`);
  seen.acknowledged += seen.costs.size;
  seen.costs.clear();
  seen.refused.clear();
  seen.credits.clear();
  return failures;
}

/** I1 to I4 and I9, from the rows themselves. */
function bookFailures({ seen }: World, all: (text: string) => Row[]): string[] {
  const failures: string[] = [];
  const none = (what: string, text: string) => {
    const [row] = all(text);
    if (row)
      failures.push(
        `${what}: ${JSON.stringify(row, (_key, value) => (typeof value === 'bigint' ? String(value) : value))}`,
      );
  };
  none(
    'a posting names an account that is none',
    'select seq from postings where account_id not in (select id from accounts)',
  );
  none(
    'a transaction does not sum to zero',
    `select seq from postings group by seq, substr(account_id, -3) having sum(amount_nano) <> 0`,
  );
  none(
    'a balance is not the sum of its postings',
    `select b.account_id from balances b where b.account_id like 'wallet:%' and b.posted_nano <>
      (select -coalesce(sum(amount_nano), 0) from postings p where p.account_id = b.account_id)`,
  );
  none('something is still held', 'select account_id, held_nano from balances where held_nano <> 0');
  none('a request is still open', 'select request_id from holds');
  none(
    'a wallet is overdrawn',
    "select account_id, posted_nano from balances where account_id like 'wallet:%' and posted_nano < 0",
  );
  none('a request is a transfer too', 'select r.id from requests r join transfers t on t.seq = r.seq');
  none(
    'a transaction is missing',
    `select seq from ledger_head where seq <> (select count(*) from transfers) + (select count(*) from requests)`,
  );
  for (const [organization, configured] of Object.entries(CREDITS)) {
    const [spent] = all(
      `select coalesce(sum(amount_nano), 0) as nano, 0 from requests where organization_id = '${organization}'`,
    );
    const [credits] = all(`select count(*) as count from transfers where idem_key like 'credit:${organization}:%'`);
    const [wallet] = all(`select posted_nano as nano from balances where account_id = 'wallet:${organization}:CNY'`);
    const count = Number(credits?.['count']);
    if (configured + BigInt(count) * CREDIT_NANO !== big(spent?.['nano']) + big(wallet?.['nano']))
      failures.push(
        `${organization}: ${configured} and ${count} credits are not ${spent?.['nano']} and ${wallet?.['nano']}`,
      );
    if (count > seen.creditsAsked) failures.push(`${organization} has more credits than were asked for`);
  }
  return failures;
}
