import type { SuspenseView, suspenseRoutes } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { endSuspense, readSuspense, recordsIn, type SuspenseRow } from '../../money/ledger/index.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';
import { recordView } from './record-view.ts';

const SHOWN_MAX = 1_000;

/** What could not be booked, and what a person makes of it. */
export function suspenseHandlers({ store, loader, ledger, clock }: ControlDeps): Handlers<typeof suspenseRoutes> {
  const find = async (text: string): Promise<SuspenseRow> => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : 0;
    const [row] = await readSuspense(store.db, { number, limit: 1 });
    if (row) return row;
    throw new Fault('not_found', {
      message: `Nothing waits under the number ${text.slice(0, 20)}: see \`suspense list --all\``,
      messageZh: `没有编号为 ${text.slice(0, 20)} 的挂账：见 \`suspense list --all\``,
    });
  };
  return {
    async suspense({ query: { all } }) {
      const rows = await readSuspense(store.db, { all: all === 'true', limit: SHOWN_MAX });
      return { suspense: rows.map(view) };
    },
    async suspended({ params }) {
      const row = await find(params.number);
      const records = Object.entries(recordsIn(row.content)).map(([kind, record]) => [kind, recordView(record)]);
      return { ...view(row), records: Object.fromEntries(records) };
    },
    async bookSuspended({ params }) {
      const { number } = await find(params.number);
      const booked = await loader.book(number).catch(error => {
        throw notBooked(error);
      });
      if (!booked) throw notBooked(undefined);
      await loader.flush();
      await ledger.settleSetBack(loader.charged());
      return view(await find(params.number));
    },
    async dismissSuspended({ params, body: { note } }) {
      const { number } = await find(params.number);
      const end = { number, how: 'dismissed', note, nowMs: clock.nowMs() } as const;
      if (!(await store.transaction(trx => endSuspense(store, trx, end)))) throw notBooked(undefined);
      await loader.lookAtSuspense();
      return view(await find(params.number));
    },
  };
}

function notBooked(cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  return new Fault('conflict', {
    message: `It cannot be booked${why}: it has come to its end, lacks a record, or still does not fit. \`suspense show\` says what it is`,
    messageZh: `无法入账${why}：它已处理完毕、缺少记录，或仍不符合条件。详见 \`suspense show\``,
    cause,
  });
}

function view({ number, kind, nodeId, seq, requestId, atMs, reason, end }: SuspenseRow): SuspenseView {
  const at = (ms: number) => new Date(ms).toISOString();
  return {
    number,
    kind,
    nodeId,
    seq,
    requestId,
    at: at(atMs),
    reason,
    end: end ? { how: end.how, at: at(end.atMs), note: end.note } : null,
  };
}
