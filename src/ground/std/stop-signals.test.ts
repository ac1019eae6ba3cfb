import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { onStopSignal } from './stop-signals.ts';

type Step = readonly [atMs: number, event: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'disconnect'];

/** What happened, in order, when a process was told all that. */
function told(steps: readonly Step[], supervised = true): readonly string[] {
  const events = new EventEmitter();
  const happened: string[] = [];
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const asked = {
    on: (event: string, listener: () => void) => events.on(event, listener),
    exit: (code: number) => void happened.push(`exit ${code}`),
  };
  onStopSignal({ supervised, clock, asked }, () => happened.push('stop'));
  for (const [atMs, event] of steps) {
    nowMs = atMs;
    events.emit(event);
  }
  return happened;
}

test('one wish stops once, a second does not wait', () => {
  const cases: readonly [steps: readonly Step[], happened: readonly string[]][] = [
    [[[0, 'SIGTERM']], ['stop']],
    // The terminal's and the launcher's.
    [
      [
        [0, 'SIGINT'],
        [3, 'SIGINT'],
      ],
      ['stop'],
    ],
    [
      [
        [0, 'SIGHUP'],
        [900, 'SIGTERM'],
        [950, 'SIGHUP'],
      ],
      ['stop'],
    ],
    [
      [
        [0, 'SIGINT'],
        [1_500, 'SIGINT'],
      ],
      ['stop', 'exit 1'],
    ],
    // A launcher that ends on the same wish, at once or later, is none of its own.
    [
      [
        [0, 'SIGINT'],
        [5_000, 'disconnect'],
      ],
      ['stop'],
    ],
    [[[0, 'disconnect']], ['stop']],
    [
      [
        [0, 'disconnect'],
        [2_000, 'SIGTERM'],
      ],
      ['stop', 'exit 1'],
    ],
  ];
  for (const [steps, happened] of cases) assert.deepEqual(told(steps), happened, JSON.stringify(steps));
  assert.deepEqual(told([[0, 'disconnect']], false), []);
});
