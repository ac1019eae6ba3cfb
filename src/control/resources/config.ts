import { applyRequestSchema, pathText } from '@millrace/contract';
import { applyDocument } from '../apply/apply.ts';
import { type ControlApp, readBody } from '../context.ts';
import type { ControlDeps } from '../deps.ts';
import type { Issue } from '../issue-text.ts';

/** `/api/v1/config/apply`: a whole document at once, as `./millrace apply` sends it. */
export function configRoutes(app: ControlApp, deps: ControlDeps): void {
  // One at a time: each compares with the state that the one before it left.
  let last: Promise<unknown> = Promise.resolve();

  app.post('/api/v1/config/apply', async c => {
    const { config, dryRun } = await readBody(c, applyRequestSchema);
    const turn = last.then(() => applyDocument(deps, config, { dryRun }));
    last = turn.catch(() => undefined);
    const outcome = await turn;
    const lang = c.get('lang');
    const told = (all: readonly Issue[]) => all.map(({ path, words }) => ({ path, message: words[lang] }));
    if (outcome.ok) return c.json({ ...outcome.value, warnings: told(outcome.value.warnings) });
    const issues = told(outcome.issues);
    const [first] = issues;
    const param = pathText(first?.path ?? []);
    const message = `${param}${param === '' ? '' : lang === 'zh' ? '：' : ': '}${first?.message}`;
    return c.json({ error: { code: 'config_invalid', message, param, issues } }, 400);
  });
}
