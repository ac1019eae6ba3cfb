import { ENGINE_FAILED, Fault } from '../../ground/std/index.ts';
import type { CatalogSnapshot, Deployment, Model } from '../../models/catalog/index.ts';
import type { Call } from '../../models/dialects/index.ts';
import type { PriceVersion } from '../../money/pricing/index.ts';
import { priceInForce } from '../../money/pricing/index.ts';
import { type CallerRecord, modelAllowed } from '../../people/callers/index.ts';
import { type Loads, orderTargets, type Target } from '../../serving/routing/index.ts';

/** A price, and the wallet that it is paid from. */
export interface Payer {
  readonly price: PriceVersion;
  readonly wallet: { readonly currency: string; readonly slot: number };
}

/** Where a call may go, in order, and what it will be charged by. */
export interface Plan extends Payer {
  readonly model: Model;
  /** All that could pay, in the organization's order of its wallets; never empty. The first whose wallet covers the request does. */
  readonly payers: readonly Payer[];
  /** Never empty; the first is tried first. */
  readonly targets: readonly Deployment[];
  /** Of one choice, as the upstream is told; 0: it is told none, since nobody set one. */
  readonly maxOutputTokens: number;
  /** What may be charged at most, over all choices. */
  readonly outputTokensMax: number;
  /** What is held from the start; a stream's hold grows from there. */
  readonly outputTokensHeld: number;
  /** What does as well where no wallet covers that, largest first; empty where a limit says what it may cost. */
  readonly smallerHolds: readonly number[];
}

/** How often an engine that failed is tried again, about. */
const FAILED_RETRY_MS = 30_000;

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
  const output = outputPlan(call, model, slots);
  const payers = payersOf(model, caller, nowMs);
  return { model, ...payers[0], payers, targets: openTargets(model.deployments, slots, nowMs), ...output };
}

function noSuchModel(id: string): Fault {
  const shown = id.slice(0, 128);
  return new Fault('model_not_found', {
    message: `The model ${shown} does not exist, or this key may not use it`,
    messageZh: `模型 ${shown} 不存在，或此密钥无权使用`,
    param: 'model',
  });
}

type OutputPlan = Pick<Plan, 'maxOutputTokens' | 'outputTokensMax' | 'outputTokensHeld' | 'smallerHolds'>;

function outputPlan(call: Call, model: Model, loads: Loads): OutputPlan {
  const limit = limitOf(call, model);
  const each = limit ?? longestAnswer(call, model);
  const all = each * call.choices;
  if (all > OUTPUT_TOKENS_MAX) {
    throw new Fault('invalid_parameter', {
      message: `This request could give ${call.choices} answers of ${each} tokens each, more than ${OUTPUT_TOKENS_MAX} in all: ask for fewer, or for shorter ones by max_tokens`,
      messageZh: `该请求最多可生成 ${call.choices} 个回答、每个 ${each} 个词元，总数超过 ${OUTPUT_TOKENS_MAX}：请减少数量，或用 max_tokens 缩短`,
      param: 'n',
    });
  }
  if (limit !== undefined)
    return { maxOutputTokens: limit, outputTokensMax: all, outputTokensHeld: all, smallerHolds: NONE };
  const hidden = hiddenTokens(model, loads);
  const held = call.stream ? Math.min(each, FIRST_SLICE_TOKENS + hidden) : each;
  return {
    ...{ maxOutputTokens: 0, outputTokensMax: all, outputTokensHeld: held * call.choices },
    smallerHolds: smallerHolds(held, { least: LEAST_TOKENS + hidden, choices: call.choices, model }),
  };
}

/** Most output tokens of one request that are rated. */
const OUTPUT_TOKENS_MAX = 1_000_000_000;
/** What a stream without a limit begins with: some half a minute of it, so that holds grow now and then, and wallets serve many at once. */
const FIRST_SLICE_TOKENS = 2_048;
/** Less of an answer is not worth its input. */
const LEAST_TOKENS = 256;
/** Longest stream where neither limit, vendor nor context says any: as long as the largest context there is. */
const STREAM_TOKENS_UNKNOWN = 1_048_576;
/** The same of an answer that comes whole, all of which is held before it begins. */
const ANSWER_TOKENS_UNKNOWN = 131_072;
/** A limit that hardly any vendor refuses as too large, for models whose longest answer is not known. */
const LIMIT_TOKENS_UNKNOWN = 8_192;
const NONE: readonly number[] = [];

/** Of one choice, as the client or the operator set it; undefined: neither did. */
function limitOf({ operation, maxOutputTokens: asked }: Call, model: Model): number | undefined {
  if (operation === 'embeddings') return 0;
  const { maxOutputTokens: most } = model;
  // Said, not clamped: a client that asked for more must know that it will not get it.
  if (asked !== undefined && most !== undefined && asked > most) {
    throw new Fault('invalid_parameter', {
      message: `max_tokens is too large: ${asked} are asked for, and the operator allows at most ${most} in one answer of ${model.id}`,
      messageZh: `max_tokens 过大：请求 ${asked} 个词元，而管理员允许 ${model.id} 单次回答最多 ${most} 个词元`,
      param: 'max_tokens',
    });
  }
  return asked ?? most;
}

/** What an answer may come to where nobody set a limit. */
function longestAnswer({ stream }: Call, { longestAnswerTokens, contextTokens }: Model): number {
  if (longestAnswerTokens !== undefined) return longestAnswerTokens;
  const unknown = stream ? STREAM_TOKENS_UNKNOWN : ANSWER_TOKENS_UNKNOWN;
  return Math.min(unknown, contextTokens ?? unknown);
}

/** The longest thinking that its deployments were lately seen to charge for without showing it. */
function hiddenTokens({ deployments }: Model, loads: Loads): number {
  let most = 0;
  for (const { slot } of deployments) most = Math.max(most, loads.get(slot, 'hiddenTokens'));
  return most;
}

/** Halves, down to `least`. What is held of a whole answer is its limit then, and a vendor must take it as one. */
function smallerHolds(
  held: number,
  { least, choices, model }: { readonly least: number; readonly choices: number; readonly model: Model },
): readonly number[] {
  const ceiling = model.longestAnswerTokens ?? Math.max(LIMIT_TOKENS_UNKNOWN, least);
  const sizes: number[] = [];
  for (let size = Math.floor(held / 2); size >= least; size = Math.floor(size / 2))
    if (size <= ceiling) sizes.push(size * choices);
  return sizes;
}

/** Every wallet in whose currency the model has a price. Throws `insufficient_funds` or `unpriced`. */
function payersOf(model: Model, caller: CallerRecord, nowMs: number): readonly [Payer, ...Payer[]] {
  const payers: Payer[] = [];
  for (const wallet of caller.wallets) {
    const price = priceInForce(model.prices, wallet.currency, nowMs);
    if (price) payers.push({ price, wallet });
  }
  const [first, ...more] = payers;
  if (first) return [first, ...more];
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
export function openTargets<T extends Target>(deployments: readonly T[], loads: Loads, nowMs: number): readonly T[] {
  const { targets, soonestMs } = orderTargets(deployments, loads, nowMs);
  if (targets.length === 0) throw unavailable(deployments, loads, soonestMs);
  return targets;
}

/** Says why, where an engine of ours is the reason: to wait for one that cannot serve its model helps nobody. */
function unavailable(deployments: readonly Target[], loads: Loads, soonestMs: number): Fault {
  const engines = deployments.filter(({ embedded }) => embedded).map(({ slot }) => loads.get(slot, 'ready'));
  if (engines.length === deployments.length && engines.every(ready => ready === ENGINE_FAILED))
    return new Fault('unavailable', {
      message:
        'The engine of this model failed and is tried again now and then; the operator finds the reason in the list of models',
      messageZh: '此模型的引擎启动失败，系统会不时重试；管理员可在模型列表中查看原因',
      retryAfterMs: FAILED_RETRY_MS,
    });
  const isLoading = engines.some(ready => ready !== ENGINE_FAILED && ready !== 1);
  return new Fault('unavailable', {
    ...(isLoading ? { message: 'The engine of this model is loading', messageZh: '此模型的引擎正在加载' } : {}),
    retryAfterMs: soonestMs,
  });
}
