import assert from 'node:assert/strict';
import { formatAmount, parseAmount } from '@millrace/contract';
import type { BookedAttempt } from './books.ts';
import { CREDIT_NANO, INPUT_NANO, OUTPUT_NANO, type Stage } from './stage.ts';

export interface Tokens {
  readonly inputTokens: number;
  readonly outputTokens: number;
}
export const NOTHING: Tokens = { inputTokens: 0, outputTokens: 0 };

/** What the books must say of one request, worked out from what its client and its upstream saw. */
export interface Due {
  /** For the message when they do not. */
  readonly what: string;
  /** `x-request-id`; absent where the client left before it saw one, and then it is the next of its model. */
  readonly id?: string;
  readonly model: string;
  readonly outcome: 'ok' | 'failed' | 'client-gone';
  readonly status: number;
  readonly usageSource: 'upstream' | 'counted' | 'none';
  readonly tokens: Tokens;
  /** Undefined where it is a matter of luck how far the request came. */
  readonly attempts: readonly (Tokens & Pick<BookedAttempt, 'deployment' | 'status' | 'outcome'>)[] | undefined;
}

export function nanoOf({ inputTokens, outputTokens }: Tokens): bigint {
  return BigInt(inputTokens * INPUT_NANO + outputTokens * OUTPUT_NANO);
}

/**
 * By the documented count: four narrow characters a token, or 1.5 wide ones, and at least one a piece of the stream; four bytes of
 * the body for the input.
 */
export function countedTokens(pieces: readonly string[], body: string): Tokens {
  const text = pieces.join('');
  const wide = text.split('').filter(unit => unit >= '\u2e80').length;
  const said = pieces.filter(piece => piece !== '').length;
  return {
    inputTokens: Math.ceil(Buffer.byteLength(body) / 4),
    outputTokens: Math.max(said, Math.ceil((text.length - wide) / 4 + wide / 1.5)),
  };
}

/** Every request is in the books, once, as it was due; each call that the upstream saw is an attempt; nothing is held. */
export async function checkBooks({ server, upstream, books }: Stage, dues: readonly Due[]): Promise<void> {
  while ((await books.settled()) < dues.length || (await books.gauge('deployment_in_flight')) > 0);
  const lines = await books.lines();
  const attempts = books.attempts();
  assert.equal(new Set(lines.map(({ requestId }) => requestId)).size, lines.length, 'no request is booked twice');
  assert.equal(lines.length, dues.length);
  const byModel = Map.groupBy(lines, ({ model }) => model);
  let spent = 0n;
  const byLuck: string[] = [];
  for (const { what, id, model, outcome, status, usageSource, tokens, attempts: owed } of dues) {
    const line = byModel.get(model)?.shift();
    assert.ok(line, `${what} is not booked`);
    if (id !== undefined) assert.equal(line.requestId, id, what);
    const { inputTokens, outputTokens } = line;
    assert.deepEqual(
      [line.outcome, line.status, line.usageSource, line.estimated, { inputTokens, outputTokens }, line.amount],
      [outcome, status, usageSource, usageSource === 'counted', tokens, formatAmount(nanoOf(tokens))],
      what,
    );
    const costed = owed?.map(attempt => ({ ...attempt, costNano: Number(nanoOf(attempt)) / 2 }));
    if (!costed) byLuck.push(line.requestId);
    else assert.deepEqual(attempts.get(line.requestId), costed, what);
    spent += nanoOf(tokens);
  }
  // A call whose client left while it was being sent may not have reached the upstream.
  const lucky = byLuck.flatMap(id => attempts.get(id) ?? []).length;
  const made = [...attempts.values()].flat().length;
  const seen = upstream.calls.length;
  assert.ok(seen <= made && seen >= made - lucky, `the upstream saw ${seen} calls, ${made} are attempts`);
  const { balance, held } = await books.wallet();
  assert.deepEqual([parseAmount(balance), held], [CREDIT_NANO - spent, '0']);
  assert.equal(await books.gauge('wallet_spendable', 'organization="acme"'), Number(balance), 'what is held in memory');
  const { code, json } = await server.cli('ledger', 'verify');
  assert.equal(code, 0, JSON.stringify(json['invariants']));
}
