import type { ROUTES } from '@millrace/contract';
import { applyDocument } from '../apply/apply.ts';
import { ConfigFault } from '../config-fault.ts';
import type { ControlDeps } from '../deps.ts';
import type { Handlers } from '../routes/mount.ts';

/** A whole document at once, as `./millrace apply` sends it. */
export function configHandlers(deps: ControlDeps): Handlers<typeof ROUTES.config> {
  // One at a time: each compares with the state that the one before it left.
  let last: Promise<unknown> = Promise.resolve();
  return {
    async apply({ body: { config, dryRun }, lang }) {
      const turn = last.then(() => applyDocument(deps, config, { dryRun }));
      last = turn.catch(() => undefined);
      const outcome = await turn;
      if (!outcome.ok) throw new ConfigFault(outcome.issues);
      const warnings = outcome.value.warnings.map(({ path, words }) => ({ path: [...path], message: words[lang] }));
      return { ...outcome.value, warnings };
    },
  };
}
