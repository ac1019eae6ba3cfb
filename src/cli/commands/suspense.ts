import { type SuspenseView, suspenseDetailSchema, suspenseListSchema, suspenseSchema } from '@millrace/contract';
import type { Command, CommandCall, Operand } from '../command.ts';
import { facts, flat, listText, time } from '../show.ts';

const NUMBER: Operand = { name: 'NUMBER', about: { en: 'as `suspense list` shows it', zh: '见 `suspense list`' } };
const ROW = '{"number","kind","nodeId","seq","requestId","at","reason","end":{"how","at","note"}|null}';

const list: Command = {
  name: 'suspense list',
  about: {
    en: 'what could not be booked, and waits for a person',
    zh: '列出无法入账、等待人工处理的挂账',
  },
  flags: [{ name: 'all', about: { en: 'also what has come to its end', zh: '包括已处理的' } }],
  examples: ['suspense list', 'suspense list --all'],
  json: `{"suspense":[${ROW}]}`,
  async run(call) {
    const client = await call.client();
    const query = call.isSet('all') ? '?all=true' : '';
    const answer = await client.call(suspenseListSchema, 'GET', `/api/v1/ledger/suspense${query}`);
    const titles =
      call.lang === 'zh'
        ? ['编号', '类型', '时间', '请求', '状态', '原因']
        : ['NUMBER', 'KIND', 'SINCE', 'REQUEST', 'STATE', 'REASON'];
    call.answer(answer, () =>
      listText(
        call.lang,
        titles.map((title, index) => ({ title, right: index === 0 })),
        answer.suspense.map(row => [
          String(row.number),
          row.kind,
          time(row.at),
          row.requestId,
          stateOf(call, row),
          row.reason,
        ]),
      ),
    );
    return 0;
  },
};

function stateOf({ lang }: CommandCall, { end }: SuspenseView): string {
  if (!end) return lang === 'zh' ? '待处理' : 'waits';
  if (lang === 'en') return end.how;
  return end.how === 'booked' ? '已入账' : '已核销';
}

const show: Command = {
  name: 'suspense show',
  about: { en: 'all that is known of one of them', zh: '显示一笔挂账的全部信息' },
  operands: [NUMBER],
  flags: [],
  examples: ['suspense show 1'],
  json: `${ROW.slice(0, -1)},"records":{"intent","settlement","progress"}}`,
  async run(call) {
    const client = await call.client();
    const answer = await client.call(suspenseDetailSchema, 'GET', pathOf(call));
    call.answer(answer, () => facts(flat(answer)));
    return 0;
  },
};

const book: Command = {
  name: 'suspense book',
  about: {
    en: 'book one of them now: it fits since something else changed',
    zh: '将一笔挂账入账：条件变化后已可入账',
  },
  operands: [NUMBER],
  flags: [],
  examples: ['suspense book 1'],
  json: ROW,
  run: call => end(call, 'book'),
};

const dismiss: Command = {
  name: 'suspense dismiss',
  about: { en: 'write one of them off; it stays in the list, with the note', zh: '核销一笔挂账；记录与备注会保留' },
  operands: [NUMBER],
  flags: [{ name: 'note', value: 'TEXT', required: true, about: { en: 'why it is not booked', zh: '不入账的原因' } }],
  fields: { note: '--note' },
  examples: ['suspense dismiss 1 --note "the vendor reported a thousand million tokens"'],
  json: ROW,
  run: call => end(call, 'dismiss', { note: call.text('note') }),
};

const pathOf = ({ operands: [number = ''] }: CommandCall) => `/api/v1/ledger/suspense/${encodeURIComponent(number)}`;

async function end(call: CommandCall, how: 'book' | 'dismiss', body?: object): Promise<number> {
  const client = await call.client();
  const answer = await client.call(suspenseSchema, 'POST', `${pathOf(call)}/${how}`, body);
  call.answer(answer, () => facts([[String(answer.number), stateOf(call, answer)]]));
  return 0;
}

export const SUSPENSE_COMMANDS: readonly Command[] = [list, show, book, dismiss];
