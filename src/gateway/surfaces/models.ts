import { Fault } from '../../ground/std/index.ts';
import type { CatalogSnapshot, Model } from '../../models/catalog/index.ts';

/** `/v1/models` as JSON: the models that `allowed` lets through, or the one asked for. Throws `model_not_found`. */
export function listModels(
  snapshot: CatalogSnapshot,
  { allowed, id }: { readonly allowed: (modelId: string) => boolean; readonly id: string | undefined },
): string {
  if (id === undefined) {
    const data = [...snapshot.models.values()].filter(model => allowed(model.id)).map(entry);
    return JSON.stringify({ object: 'list', data });
  }
  const model = snapshot.models.get(id);
  if (!model || !allowed(id)) {
    throw new Fault('model_not_found', {
      message: `The model ${id.slice(0, 128)} does not exist, or this key may not use it`,
      messageZh: `模型 ${id.slice(0, 128)} 不存在，或此密钥无权使用`,
      param: 'model',
    });
  }
  return JSON.stringify(entry(model));
}

function entry(model: Model): Record<string, unknown> {
  return { id: model.id, object: 'model', created: Math.floor(model.createdAtMs / 1000), owned_by: model.ownedBy };
}
