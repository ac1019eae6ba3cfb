let point = '';
let left = 0;

/**
 * Arms one named crash point, as `CRASH_AT=name` or `name:n` (the n-th time it is passed). For the crash tests: the real
 * process dies by SIGKILL, without a chance to clean up, exactly where a power cut would have hit it.
 */
export function armCrashPoint(spec: string | undefined): void {
  if (!spec) return;
  const [name = '', count = '1'] = spec.split(':');
  point = name;
  left = Number.parseInt(count, 10) || 1;
}

/** Dies here when this point is armed. Costs one comparison otherwise. */
export function crashPoint(name: string): void {
  if (point !== '' && name === point && --left === 0) process.kill(process.pid, 'SIGKILL');
}
