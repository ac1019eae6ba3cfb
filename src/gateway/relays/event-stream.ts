import type { HttpResponse } from '../server/index.ts';

/** The answer to a streaming request: events. While nothing else goes out, comments say that it lives. */
export interface EventStream {
  /** False when the client reads too slowly: `onDrain` of the response says when to go on. */
  write(events: Uint8Array | string): boolean;
  /** The upstream took the request: the head goes out now, with what is said already. */
  accept(): void;
  /** The last events, and the end. */
  end(events: string): void;
  /** Nothing more is said, or nobody listens. */
  stop(): void;
}

const HEADERS = [
  'content-type',
  'text/event-stream; charset=utf-8',
  'cache-control',
  'no-cache',
  'x-accel-buffering',
  'no',
];

/** Skipped by every SSE client; seen by the proxies and clients that take silence for the end. */
const SIGN_OF_LIFE = ': keep-alive\n\n';
/**
 * The head waits so long for what comes with it. Most vendors send the first event within it, so that one write carries both;
 * and those that answer 200 and then an error, which until here still has a status of its own.
 */
const HEAD_WAIT_MS = 100;
/** Silence is looked for this often in its longest time: it lasts at most a quarter longer, and no token reads a clock. */
const LOOKS = 4;

/** Begins the answer with its first events: until then it may still become an error. */
export function createEventStream(res: HttpResponse, options: EventStreamOptions): EventStream {
  return new LiveStream(res, options);
}

export interface EventStreamOptions {
  readonly headers: readonly string[];
  readonly silenceMs: number;
  /** Runs what a timer calls: what it throws ends this request, and nothing else. */
  readonly contain: (step: () => void) => void;
}

class LiveStream implements EventStream {
  private readonly res: HttpResponse;
  private readonly headers: readonly string[];
  private readonly contain: EventStreamOptions['contain'];
  private readonly looks: NodeJS.Timeout;
  private headDue: NodeJS.Timeout | undefined = undefined;
  private silentLooks = 0;

  constructor(res: HttpResponse, { headers, silenceMs, contain }: EventStreamOptions) {
    this.res = res;
    this.headers = headers;
    this.contain = contain;
    this.looks = setInterval(() => contain(() => this.look()), silenceMs / LOOKS);
  }

  write(events: Uint8Array | string): boolean {
    this.silentLooks = 0;
    this.begin();
    return this.res.write(events);
  }

  accept(): void {
    if (this.res.headSent) return;
    this.headDue ??= setTimeout(
      () =>
        this.contain(() => {
          this.begin();
          this.res.flush();
        }),
      HEAD_WAIT_MS,
    );
  }

  end(events: string): void {
    this.stop();
    this.begin();
    this.res.end(events);
  }

  stop(): void {
    clearInterval(this.looks);
    clearTimeout(this.headDue);
  }

  private begin(): void {
    if (!this.res.headSent) this.res.begin(200, [...this.headers, ...HEADERS]);
  }

  private look(): void {
    this.silentLooks += 1;
    if (this.silentLooks >= LOOKS) this.write(SIGN_OF_LIFE);
  }
}
