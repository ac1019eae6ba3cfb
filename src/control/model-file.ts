import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../ground/std/index.ts';
import type { Catalog, Model } from '../models/catalog/index.ts';
import type { Words } from './language.ts';

/** The model that comes with the program: named, not by its path, so that a program which is moved or updated finds its own. */
export const BUILTIN_MODEL = 'builtin:millrace-nano';

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));
const BUILTIN_FILES: ReadonlyMap<string, string> = new Map([
  [BUILTIN_MODEL, join(MODELS, 'nano', 'millrace-nano.gguf')],
]);

/** What the built-in model is, wherever it is shown: nobody shall judge the rest by its answers. */
export const DEMONSTRATION: Words = {
  en: 'a 6 MB demonstration: it knows Millrace, small sums and little else',
  zh: '6 MB 的演示模型：只懂 Millrace、小算术等很少的东西',
};

export function isDemonstration(catalog: Pick<Catalog, 'engines'>, { deployments }: Model): boolean {
  const builtin = catalog.engines().filter(({ file }) => file === BUILTIN_MODEL);
  return deployments.some(({ id }) => builtin.some(({ deploymentId }) => deploymentId === id));
}

/** Where the weights are. Throws Fault `config_invalid` for a built-in model that there is not. */
export function modelFile(file: string): string {
  const builtin = BUILTIN_FILES.get(file);
  if (builtin === undefined && file.startsWith('builtin:'))
    throw new Fault('config_invalid', {
      message: `there is no ${file}; built in are ${[...BUILTIN_FILES.keys()].join(', ')}`,
      messageZh: `不存在 ${file}；内置的有 ${[...BUILTIN_FILES.keys()].join('、')}`,
    });
  return builtin ?? resolve(file);
}
