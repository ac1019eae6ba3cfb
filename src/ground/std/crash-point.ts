let point = '';
let left = 0;

/**
 * Arms one named point in the code, as `CRASH_AT=name` or `name:n` (the n-th time it is passed). For the crash tests: the real
 * process dies by SIGKILL, without a chance to clean up, exactly where a power cut would have hit it. As `throw:name:n` it throws
 * there instead, once, as a mistake of ours would.
 */
export function armCrashPoint(spec: string | undefined): void {
  if (!spec) return;
  const parts = spec.split(':');
  const [name = '', count = '1'] = parts[0] === 'throw' ? parts.slice(1) : parts;
  point = name;
  // Below zero: it throws.
  left = (Number.parseInt(count, 10) || 1) * (parts[0] === 'throw' ? -1 : 1);
}

/** Dies, or throws, here when this point is armed. Costs one comparison otherwise. */
export function crashPoint(name: string): void {
  if (point === '' || name !== point || left === 0) return;
  const throws = left < 0;
  left += throws ? 1 : -1;
  if (left !== 0) return;
  if (throws) throw new Error(`thrown on purpose at ${name}`);
  process.kill(process.pid, 'SIGKILL');
}
