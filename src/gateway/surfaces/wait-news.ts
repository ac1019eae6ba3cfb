import { crashPoint } from '../../ground/std/index.ts';
import type { Place } from '../../serving/routing/index.ts';
import type { EventStream } from '../relays/event-stream.ts';

/** A waiting stream hears of its place after this, and then this often. */
const NEWS_MS = 1_000;

/** Tells a stream that waits where it stands, until it stands there no more. */
export class WaitNews {
  private readonly timer: NodeJS.Timeout;

  constructor(stream: EventStream, place: Place, contain: (tell: () => void) => void) {
    this.timer = setInterval(() => contain(() => tellPlace(stream, place)), NEWS_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

function tellPlace(stream: EventStream, place: Place): void {
  crashPoint('gateway.news');
  const { position, etaMs } = place.report();
  stream.write(`: queue position=${position} eta_ms=${etaMs}\n\n`);
}
