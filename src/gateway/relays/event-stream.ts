import type { HttpResponse } from '../server/index.ts';

/** The answer to a streaming request: events. */
export interface EventStream {
  /** False when the client reads too slowly: `onDrain` of the response says when to go on. */
  write(events: Uint8Array | string): boolean;
  /** The last events, and the end. */
  end(events: string): void;
}

const HEADERS = [
  'content-type',
  'text/event-stream; charset=utf-8',
  'cache-control',
  'no-cache',
  'x-accel-buffering',
  'no',
];

/** Begins the answer with its first events: until then it may still become an error. */
export function createEventStream(res: HttpResponse, headers: readonly string[]): EventStream {
  const begin = () => {
    if (!res.headSent) res.begin(200, [...headers, ...HEADERS]);
  };
  return {
    write(events) {
      begin();
      return res.write(events);
    },
    end(events) {
      begin();
      res.end(events);
    },
  };
}
