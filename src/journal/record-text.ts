import { Fault } from '../std/index.ts';
import {
  type Attempt,
  ENTRY_KIND,
  type Intent,
  type JournalRecord,
  type Progress,
  type Settlement,
} from './records.ts';

/** Text of a record on disk: JSON with amounts as decimal strings. */
export function encodeRecord(record: JournalRecord): string {
  switch (record.kind) {
    case ENTRY_KIND.intent:
    case ENTRY_KIND.progress:
      return JSON.stringify({ ...record.value, holdNano: record.value.holdNano.toString() });
    case ENTRY_KIND.settlement: {
      const { value } = record;
      const attempts = value.attempts.map(attempt =>
        attempt.costNano === undefined ? attempt : { ...attempt, costNano: attempt.costNano.toString() },
      );
      return JSON.stringify({ ...value, amountNano: value.amountNano.toString(), attempts });
    }
    default:
      return record satisfies never;
  }
}

type Stored<T, K extends keyof T> = Omit<T, K> & { readonly [P in K]: string };

/** Reads back what {@link encodeRecord} wrote. The checksum was checked before, so that the shape is the one we wrote. */
export function decodeRecord(kind: number, text: string): JournalRecord {
  switch (kind) {
    case ENTRY_KIND.intent: {
      const stored: Stored<Intent, 'holdNano'> = JSON.parse(text);
      return { kind, value: { ...stored, holdNano: BigInt(stored.holdNano) } };
    }
    case ENTRY_KIND.progress: {
      const stored: Stored<Progress, 'holdNano'> = JSON.parse(text);
      return { kind, value: { ...stored, holdNano: BigInt(stored.holdNano) } };
    }
    case ENTRY_KIND.settlement: {
      const stored: Omit<Stored<Settlement, 'amountNano'>, 'attempts'> & {
        readonly attempts: readonly (Omit<Attempt, 'costNano'> & { readonly costNano?: string })[];
      } = JSON.parse(text);
      const attempts = stored.attempts.map(({ costNano, ...attempt }) =>
        costNano === undefined ? attempt : { ...attempt, costNano: BigInt(costNano) },
      );
      return { kind, value: { ...stored, amountNano: BigInt(stored.amountNano), attempts } };
    }
    default:
      throw new Fault('config_invalid', {
        message: `The journal holds an entry of kind ${kind}, which this version does not know`,
        messageZh: `日志中有本版本不认识的记录类型 ${kind}`,
      });
  }
}
