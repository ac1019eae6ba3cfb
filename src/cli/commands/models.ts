import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ModelAdded,
  type ModelView,
  modelAddedSchema,
  modelListSchema,
  modelViewSchema,
  type PriceView,
  removedSchema,
} from '@millrace/contract';
import type { Lang } from '../../control/index.ts';
import { Fault, systemClock } from '../../ground/std/index.ts';
import type { Command, CommandCall } from '../command.ts';
import { usageFault } from '../parse-argv.ts';
import { facts, listText, time } from '../show.ts';

const list: Command = {
  name: 'model list',
  about: { en: 'models, their prices and deployments', zh: '列出模型、价格与部署' },
  flags: [],
  examples: ['model list'],
  json: '{"models":[{"id","operations","contextTokens","maxOutputTokens","createdAt","ready","prices":[…],"deployments":[…]}]}',
  async run(call) {
    const client = await call.client();
    const answer = await client.call(modelListSchema, 'GET', '/api/v1/models');
    const titles =
      call.lang === 'zh'
        ? ['模型', '上下文', '价格（每百万词元：输入/缓存/输出）', '部署']
        : ['MODEL', 'CONTEXT', 'PRICE (PER MILLION: INPUT/CACHED/OUTPUT)', 'DEPLOYMENTS'];
    call.answer(answer, () =>
      [
        listText(
          call.lang,
          titles.map((title, index) => ({ title, right: index === 1 })),
          answer.models.map(model => modelRow(model, call.lang)),
        ),
        ...answer.models.flatMap(model => failureLines(model, call.lang)),
      ].join('\n'),
    );
    return 0;
  },
};

const STATES = {
  en: { ready: 'ready', starting: 'loading', failed: 'failed', resting: 'resting' },
  zh: { ready: '就绪', starting: '加载中', failed: '加载失败', resting: '暂停' },
} as const;

function modelRow({ id, contextTokens, prices, deployments }: ModelView, lang: Lang): string[] {
  return [
    id,
    contextTokens === null ? '-' : String(contextTokens),
    prices.length === 0 ? '-' : priceText(prices, lang),
    deployments
      .map(deployment => `${deployment.id} (${deployment.provider}, ${STATES[lang][deployment.state]})`)
      .join(', '),
  ];
}

/** Why its deployments failed last, where they did. */
function failureLines({ deployments }: ModelView, lang: Lang): string[] {
  return deployments.flatMap(({ id, lastFailure }) => {
    if (!lastFailure) return [];
    const { at, code, status, reason } = lastFailure;
    const answered = status === 0 ? '' : ` ${status}`;
    return lang === 'zh'
      ? `${id} 最近一次失败：${time(at)} ${code}${answered}：${reason}`
      : `${id} failed last at ${time(at)}, ${code}${answered}: ${reason}`;
  });
}

/** `free (CNY)`, or `0.5/0.1/2 CNY`: input, cached input, output, per million; `from` where it is not in force from the beginning. */
function priceText(prices: readonly PriceView[], lang: Lang): string {
  if (prices.every(({ inputPerM, outputPerM }) => inputPerM === '0' && outputPerM === '0'))
    return `${lang === 'zh' ? '免费' : 'free'} (${prices.map(({ currency }) => currency).join(', ')})`;
  return prices
    .map(({ currency, inputPerM, cachedInputPerM, outputPerM, effectiveFrom }) => {
      const from = effectiveFrom === null ? '' : ` ${lang === 'zh' ? '自' : 'from'} ${time(effectiveFrom)}`;
      return `${inputPerM}/${cachedInputPerM ?? inputPerM}/${outputPerM} ${currency}${from}`;
    })
    .join(', ');
}

const add: Command = {
  name: 'model add',
  about: {
    en: 'serve a GGUF file on this machine; waits until it is loaded',
    zh: '提供本机上的 GGUF 模型文件，并等待其加载完成',
  },
  operands: [{ name: 'FILE.gguf', about: { en: 'the weights', zh: '模型文件' } }],
  flags: [
    {
      name: 'id',
      value: 'ID',
      about: { en: "what clients call it; else the file's name", zh: '客户端使用的名称；默认取文件名' },
    },
    { name: 'currency', value: 'CNY', about: { en: 'of the prices', zh: '价格的币种' } },
    { name: 'input-price', value: 'P', about: { en: 'per million input tokens', zh: '每百万输入词元的价格' } },
    {
      name: 'cached-input-price',
      value: 'P',
      about: { en: 'per million cached input tokens', zh: '每百万缓存输入词元的价格' },
    },
    { name: 'output-price', value: 'P', about: { en: 'per million output tokens', zh: '每百万输出词元的价格' } },
    {
      name: 'free',
      about: { en: 'it costs nothing: in place of the prices', zh: '免费，代替各项价格' },
    },
    {
      name: 'replace',
      about: { en: 'set a model of that id anew, whatever serves it now', zh: '替换同名模型，无论它现在由什么提供' },
    },
    { name: 'no-wait', about: { en: 'do not wait until it is loaded', zh: '不等待加载完成' } },
  ],
  fields: {
    id: '--id',
    'models.id': '--id',
    'models.deployments.id': '--id',
    'prices.currency': '--currency',
    'prices.inputPerM': '--input-price',
    'prices.cachedInputPerM': '--cached-input-price',
    'prices.outputPerM': '--output-price',
  },
  examples: [
    'model add ./qwen3-4b-q4_k_m.gguf --free',
    'model add ./qwen3-4b-q4_k_m.gguf --id qwen3-4b --currency CNY --input-price 0.5 --output-price 2',
  ],
  json: '{"id","file","contextTokens","prices":[…],"replaced","loaded"}',
  async run(call) {
    const prices = pricesOf(call);
    const file = resolve(call.operands[0] ?? '');
    const client = await call.client();
    const body = { file, id: call.optional('id'), prices, replace: call.isSet('replace') };
    const added = await client.call(modelAddedSchema, 'POST', '/api/v1/models', body);
    const { id, contextTokens, replaced } = added;
    const loaded = call.isSet('no-wait') ? null : await waitLoaded(call, added);
    const zh = call.lang === 'zh';
    call.answer({ id, file, contextTokens, prices: added.prices, replaced, loaded }, () =>
      facts([
        [zh ? '模型' : 'model', id],
        [zh ? '文件' : 'file', file],
        [zh ? '上下文' : 'context', String(contextTokens)],
        [zh ? '价格' : 'price', priceText(added.prices, call.lang)],
        [zh ? '状态' : 'state', loaded ? STATES[call.lang].ready : STATES[call.lang].starting],
      ]),
    );
    return 0;
  },
};

/** Weights of hundreds of gigabytes from a slow disk; afterwards it goes on by itself. */
const LOAD_WAIT_MS = 600_000;
const LOOK_MS = 200;

/**
 * Whether its engine came to serve; false where that still goes on. One that cannot be loaded is taken out again, unless it took
 * another's place: Fault `unavailable` with the reason.
 */
async function waitLoaded(call: CommandCall, { id, replaced }: ModelAdded): Promise<boolean> {
  const client = await call.client();
  const target = `/api/v1/models/${encodeURIComponent(id)}`;
  const until = systemClock.monotonicMs() + LOAD_WAIT_MS;
  for (;;) {
    const { deployments } = await client.call(modelViewSchema, 'GET', target);
    const failed = deployments.find(({ state }) => state === 'failed');
    if (failed) {
      if (!replaced) await client.call(removedSchema, 'DELETE', target);
      throw notLoaded(id, failed.reason ?? '', replaced);
    }
    if (deployments.every(({ state }) => state !== 'starting')) return true;
    if (systemClock.monotonicMs() > until) return false;
    await sleep(LOOK_MS);
  }
}

function notLoaded(id: string, reason: string, replaced: boolean): Fault {
  return new Fault('unavailable', {
    message: `${id} cannot be loaded: ${reason}. ${replaced ? 'It stays in the place of what it replaced, and is tried again' : 'It was taken out again'}`,
    messageZh: `${id} 无法加载：${reason}。${replaced ? '它已替换原有模型，将继续重试' : '已将其下线'}`,
  });
}

/** Both prices, or the word that there is none: one that was forgotten would be given away. */
function pricesOf(call: CommandCall): readonly object[] {
  const given = PRICE_FLAGS.filter(name => call.isSet(name));
  const currency = call.optional('currency');
  if (call.isSet('free')) {
    const [first] = given;
    if (first !== undefined)
      throw usageFault(`--${first} does not go with --free`, `--${first} 不能与 --free 同时使用`);
    // In the currencies of most wallets.
    return (currency === undefined ? ['CNY', 'USD'] : [currency]).map(code => ({
      currency: code,
      inputPerM: '0',
      outputPerM: '0',
    }));
  }
  const missing = ['input-price', 'output-price'].filter(name => !call.isSet(name));
  if (missing.length === 2 && given.length === 0)
    throw usageFault(
      'model add: it has no price: give --input-price and --output-price, or --free',
      'model add：缺少价格：请给出 --input-price 与 --output-price，或 --free',
    );
  if (missing.length > 0)
    throw usageFault(
      `model add: --${missing[0]} is missing: a price needs both (millrace model add --help)`,
      `model add：缺少 --${missing[0]}：两个价格都需要（millrace model add --help）`,
    );
  return [
    {
      currency: currency ?? 'CNY',
      inputPerM: call.text('input-price'),
      cachedInputPerM: call.optional('cached-input-price'),
      outputPerM: call.text('output-price'),
    },
  ];
}

const PRICE_FLAGS = ['input-price', 'cached-input-price', 'output-price'] as const;

const remove: Command = {
  name: 'model remove',
  about: {
    en: 'take a model out of service; its prices and its history stay',
    zh: '下线模型，其价格与历史记录会保留',
  },
  operands: [{ name: 'ID', about: { en: 'as `model list` shows it', zh: '见 `model list`' } }],
  flags: [],
  examples: ['model remove qwen3-4b'],
  json: '{"id","removed":true}',
  async run(call) {
    const client = await call.client();
    const [id = ''] = call.operands;
    const answer = await client.call(removedSchema, 'DELETE', `/api/v1/models/${encodeURIComponent(id)}`);
    call.answer(answer, () => facts([[call.lang === 'zh' ? '已下线' : 'removed', answer.id]]));
    return 0;
  },
};

export const MODEL_COMMANDS: readonly Command[] = [list, add, remove];
