import type { HostLoad } from './host-messages.ts';

/**
 * Whether a host that is at work gets anywhere. Its heartbeats do not tell: native work hangs on other threads than they come
 * from. The host ends a request that hangs, and itself; this is for the case that it cannot.
 */
export class ProgressWatch {
  private readonly stalledMsMax: number;
  private steps = -1;
  private movedMs = 0;
  private isWorking = false;

  constructor(stalledMsMax: number) {
    this.stalledMsMax = stalledMsMax;
  }

  hear({ steps, processing }: Pick<HostLoad, 'steps' | 'processing'>, nowMs: number): void {
    if (steps !== this.steps || processing === 0 || !this.isWorking) this.movedMs = nowMs;
    this.steps = steps;
    this.isWorking = processing > 0;
  }

  isStuck(nowMs: number): boolean {
    return this.isWorking && nowMs - this.movedMs >= this.stalledMsMax;
  }
}
