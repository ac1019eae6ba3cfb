import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { usageLineSchema, usageSchema, walletListSchema } from '@millrace/contract';
import * as z from 'zod';
import { CALLS_SQL } from './calls-sql.ts';
import type { TestServer } from './server.ts';

const page = usageSchema.extend({ lines: z.array(usageLineSchema.extend({ status: z.number() })) });

/** A line of the bill, as the control API tells it. */
export type BookedLine = z.output<typeof page>['lines'][number];

/** A call of an upstream, as its row says. */
export interface BookedAttempt {
  readonly deployment: string;
  readonly status: number;
  readonly outcome: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNano: number;
}

export interface Books {
  /** All lines of the organization, oldest first. */
  lines(): Promise<readonly BookedLine[]>;
  /** By request, in their order; of what {@link Books.lines} told. */
  attempts(): ReadonlyMap<string, readonly BookedAttempt[]>;
  /** How many requests are settled so far. */
  settled(): Promise<number>;
  wallet(): Promise<{ readonly balance: string; readonly held: string }>;
  /** Sum of a gauge of `/metrics` over all its samples that have this label. */
  gauge(name: string, label?: string): Promise<number>;
}

/** Reads the books of one organization over the control API of a running server, with an admin key. */
export function openBooks(server: TestServer, organization: string, adminKey: string): Books {
  const get = (path: string) =>
    fetch(server.url + path, { headers: { authorization: `Bearer ${adminKey}` } }).then(answer => {
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      return answer;
    });
  const readPage = async (limit: number, cursor: string | null) => {
    const after = cursor === null ? '' : `&cursor=${cursor}`;
    return page.parse(await (await get(`/api/v1/usage?organization=${organization}&limit=${limit}${after}`)).json());
  };
  return {
    async lines() {
      const all: BookedLine[] = [];
      let cursor: string | null = null;
      do {
        const { lines, next }: z.output<typeof page> = await readPage(1_000, cursor);
        all.push(...lines);
        cursor = next;
      } while (cursor !== null);
      return all.reverse();
    },
    attempts() {
      const db = new DatabaseSync(join(server.home, 'store.db'), { readOnly: true });
      const byRequest = new Map<string, BookedAttempt[]>();
      for (const row of db.prepare(`${CALLS_SQL} order by request_id, number`).all()) {
        const id = String(row['request_id']);
        const list = byRequest.get(id) ?? [];
        byRequest.set(id, list);
        list.push({
          deployment: String(row['deployment_id']),
          status: Number(row['status']),
          outcome: String(row['outcome']),
          inputTokens: Number(row['input_tokens']),
          outputTokens: Number(row['output_tokens']),
          costNano: Number(row['cost_nano']),
        });
      }
      db.close();
      return byRequest;
    },
    async settled() {
      return (await readPage(1, null)).totals.reduce((sum, { requests }) => sum + requests, 0);
    },
    async wallet() {
      const answer = await get(`/api/v1/organizations/${organization}/wallets`);
      const { wallets } = walletListSchema.parse(await answer.json());
      const [wallet] = wallets;
      if (!wallet) throw new Error(`${organization} has no wallet`);
      return wallet;
    },
    async gauge(name, label = '') {
      const text = await (await get('/metrics')).text();
      return text
        .split('\n')
        .filter(line => line.startsWith(`millrace_${name}{`) && line.includes(label))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
  };
}
