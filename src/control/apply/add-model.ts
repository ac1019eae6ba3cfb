import { basename } from 'node:path';
import type { ModelAdd } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import type { StoreTransaction } from '../../ground/store/index.ts';
import type { ControlDeps } from '../deps.ts';
import { applyConfig } from './apply.ts';

/** Share of the context that one answer may take, so that a question fits beside it. */
const ANSWER_SHARE = 0.75;
const ANSWER_TOKENS_MAX = 4_096;

/**
 * Serves a file of weights as a model with one deployment, its engine, and starts that. It is called by the file's name, not by
 * what the file says of itself: people find the first again, and many files say the same. Throws Fault `conflict` where there is a
 * model of that id and it is not to be replaced, `config_invalid` with what is wrong.
 */
export async function addModel(
  deps: ControlDeps,
  { file, id: asked, prices, replace }: ModelAdd,
): Promise<{ readonly id: string; readonly replaced: boolean }> {
  const { contextTokens } = await deps.inspectModel(file);
  const id = asked ?? modelIdOf(file);
  const deployment = { id: deploymentIdOf(id), engine: { file } };
  const model = {
    id,
    operations: ['chat', 'completions', 'embeddings'],
    contextTokens,
    maxOutputTokens: Math.max(1, Math.min(ANSWER_TOKENS_MAX, Math.floor(contextTokens * ANSWER_SHARE))),
    prices,
    deployments: [deployment],
  };
  let replaced = false;
  await applyConfig(
    deps,
    { models: [model] },
    {
      dryRun: false,
      async before(trx) {
        replaced = await isServed(trx, id);
        if (replaced && !replace) throw isThere(id);
      },
    },
  );
  deps.startEngine(deployment.id);
  return { id, replaced };
}

async function isServed(trx: StoreTransaction, id: string): Promise<boolean> {
  const found = trx.selectFrom('models').select('id').where('id', '=', id).where('removed_us', 'is', null);
  return (await found.executeTakeFirst()) !== undefined;
}

function isThere(id: string): Fault {
  return new Fault('conflict', {
    message: `There is a model ${id} already: choose another id (--id), or set it anew (--replace)`,
    messageZh: `模型 ${id} 已存在：请另选 ID（--id），或用 --replace 替换它`,
    param: 'id',
  });
}

/** The first part of a file in parts stands for all of it: `name-00001-of-00003.gguf` is `name`. */
function modelIdOf(file: string): string {
  const id = basename(file)
    .replace(/\.gguf$/i, '')
    .replace(/-\d{5}-of-\d{5}$/, '')
    .replace(/^builtin:/, '')
    .replace(/[^A-Za-z0-9._:/@-]+/g, '-')
    .slice(0, 128)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return id || 'model';
}

function deploymentIdOf(modelId: string): string {
  const id = modelId
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 64)
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return id || 'model';
}
