import { FAULTS, type FaultCode } from '@millrace/contract/words';

export interface FaultDetails {
  /** Words for the person who called; safe to show. Defaults to the title in the table. */
  readonly message?: string;
  readonly messageZh?: string;
  /** Words for our log only: may name hosts, upstream texts, files. */
  readonly internal?: string;
  /** The field of the request that is at fault, as a path. */
  readonly param?: string;
  /** A code known in the caller's dialect, shown in place of ours: `content_filter`. */
  readonly publicCode?: string;
  readonly retryAfterMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** The one error that is thrown on purpose. Rendered once, at the edge, in the caller's dialect. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly details: FaultDetails;

  constructor(code: FaultCode, details: FaultDetails = {}) {
    super(details.message ?? FAULTS[code].title.en, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Fault';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return FAULTS[this.code].status;
  }

  /** Public words in the reader's language. */
  messageIn(lang: 'en' | 'zh'): string {
    return lang === 'zh'
      ? (this.details.messageZh ?? (this.details.message === undefined ? FAULTS[this.code].title.zh : this.message))
      : this.message;
  }
}

/** Any thrown value as a Fault; what is not one becomes `internal` and keeps its text out of public words. */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const internal = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Fault('internal', { internal, cause: error });
}
