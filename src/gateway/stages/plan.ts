import { Fault } from '../../ground/std/index.ts';
import type { CatalogSnapshot, Deployment, Model } from '../../models/catalog/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import type { PriceVersion } from '../../money/pricing/index.ts';
import { priceInForce } from '../../money/pricing/index.ts';
import { type CallerRecord, modelAllowed } from '../../people/callers/index.ts';
import { type Loads, orderTargets } from '../../serving/routing/index.ts';

/** Where a call may go, in order, and what it will be charged by. */
export interface Plan {
  readonly model: Model;
  readonly price: PriceVersion;
  readonly wallet: { readonly currency: string; readonly slot: number };
  /** Never empty; the first is tried first. */
  readonly targets: readonly Deployment[];
  /** Of one choice; 0 for embeddings. */
  readonly maxOutputTokens: number;
  /** What the hold covers, over all choices. */
  readonly outputTokensMax: number;
}

/** Finds model, price and targets. Throws `model_not_found`, `forbidden`, `invalid_parameter`, `unpriced` or `unavailable`. */
export function planCall(
  call: Call,
  caller: CallerRecord,
  from: { readonly snapshot: CatalogSnapshot; readonly slots: Loads; readonly nowMs: number },
): Plan {
  const { snapshot, slots, nowMs } = from;
  const model = snapshot.models.get(call.model);
  // A model that the key may not use looks like one that is not there: names are not leaked between tenants.
  if (!model || !modelAllowed(caller, call.model)) throw noSuchModel(call.model);
  if (!model.operations.includes(call.operation)) {
    throw new Fault('invalid_parameter', {
      message: `The model ${model.id} does not serve ${call.operation}`,
      messageZh: `模型 ${model.id} 不支持 ${call.operation}`,
      param: 'model',
    });
  }
  const maxOutputTokens = outputCap(call, model);
  const { price, wallet } = priceFor(model, caller, nowMs);
  return {
    model,
    price,
    wallet,
    targets: openTargets(model.deployments, slots, nowMs),
    maxOutputTokens,
    outputTokensMax: maxOutputTokens * call.choices,
  };
}

function noSuchModel(id: string): Fault {
  const shown = id.slice(0, 128);
  return new Fault('model_not_found', {
    message: `The model ${shown} does not exist, or this key may not use it`,
    messageZh: `模型 ${shown} 不存在，或此密钥无权使用`,
    param: 'model',
  });
}

function outputCap(call: Call, model: Model): number {
  if (call.operation === 'embeddings') return 0;
  if (call.maxOutputTokens === undefined) return model.maxOutputTokens;
  // Said, not clamped: a client that asked for more must know that it will not get it.
  if (call.maxOutputTokens > model.maxOutputTokens) {
    throw new Fault('invalid_parameter', {
      message: `max_tokens is too large: ${call.maxOutputTokens}; ${model.id} gives at most ${model.maxOutputTokens} in one answer`,
      messageZh: `max_tokens 过大：${call.maxOutputTokens}；${model.id} 单次回答最多 ${model.maxOutputTokens} 个词元`,
      param: 'max_tokens',
    });
  }
  return call.maxOutputTokens;
}

function priceFor(model: Model, caller: CallerRecord, nowMs: number): Pick<Plan, 'price' | 'wallet'> {
  for (const wallet of caller.wallets) {
    const price = priceInForce(model.prices, wallet.currency, nowMs);
    if (price) return { price, wallet };
  }
  if (caller.wallets.length === 0) {
    throw new Fault('insufficient_funds', {
      message: 'This organization has no wallet yet',
      messageZh: '该组织尚未开通钱包',
    });
  }
  throw new Fault('unpriced', {
    message: `${model.id} has no price in ${caller.wallets.map(wallet => wallet.currency).join(', ')}`,
    messageZh: `${model.id} 没有以 ${caller.wallets.map(wallet => wallet.currency).join('、')} 标注的价格`,
  });
}

/** Throws `unavailable` where none is open, with when the first may be. */
function openTargets(deployments: readonly Deployment[], loads: Loads, nowMs: number): readonly Deployment[] {
  const { targets, soonestMs } = orderTargets(deployments, loads, nowMs);
  if (targets.length === 0) throw new Fault('unavailable', { retryAfterMs: soonestMs });
  return targets;
}
