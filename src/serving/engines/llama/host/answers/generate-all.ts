import { randomBytes } from 'node:crypto';
import type { Engine, Generator } from '../model/engine.ts';
import type { Generated } from './generate.ts';

/** `chatcmpl-…`, as clients expect ids to look. */
export function answerId(prefix: string): string {
  return `${prefix}-${randomBytes(12).toString('hex')}`;
}

/**
 * Several answers at once, each in a sequence of its own. When one fails the others are stopped, and all have let go of
 * their sequences before this throws.
 * @throws Fault `capacity` where the queue has no room for all of them
 */
export async function generateAll(
  { generator }: Engine & { readonly generator: Generator },
  count: number,
  signal: AbortSignal,
  answer: (index: number, signal: AbortSignal) => Promise<Generated>,
): Promise<readonly Generated[]> {
  generator.pool.reserve(count);
  if (count === 1) return [await answer(0, signal)];
  const failed = new AbortController();
  const inner = AbortSignal.any([signal, failed.signal]);
  const settled = await Promise.allSettled(
    Array.from({ length: count }, (_, index) =>
      answer(index, inner).catch(error => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  return settled.map(result => {
    if (result.status === 'rejected') throw failed.signal.reason;
    return result.value;
  });
}
