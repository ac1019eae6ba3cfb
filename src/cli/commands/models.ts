import { basename, resolve } from 'node:path';
import { applyResultSchema, type ModelView, modelFileSchema, modelListSchema, removedSchema } from '@millrace/contract';
import type { Lang } from '../../control/index.ts';
import type { Command, CommandCall } from '../command.ts';
import { facts, listText } from '../show.ts';

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
      listText(
        call.lang,
        titles.map((title, index) => ({ title, right: index === 1 })),
        answer.models.map(model => modelRow(model, call.lang)),
      ),
    );
    return 0;
  },
};

function modelRow({ id, contextTokens, prices, deployments }: ModelView, lang: Lang): string[] {
  const states =
    lang === 'zh'
      ? { ready: '就绪', starting: '加载中', resting: '暂停' }
      : { ready: 'ready', starting: 'loading', resting: 'resting' };
  const price = ({ currency, inputPerM, cachedInputPerM, outputPerM }: ModelView['prices'][number]) =>
    `${inputPerM}/${cachedInputPerM ?? inputPerM}/${outputPerM} ${currency}`;
  return [
    id,
    contextTokens === null ? '-' : String(contextTokens),
    prices.map(price).join(', ') || '-',
    deployments.map(deployment => `${deployment.id} (${deployment.provider}, ${states[deployment.state]})`).join(', '),
  ];
}

/** Share of the context that one answer may take, so that a question fits beside it. */
const ANSWER_SHARE = 0.75;
const ANSWER_TOKENS_MAX = 4_096;

const add: Command = {
  name: 'model add',
  about: { en: 'serve a GGUF file on this machine', zh: '提供本机上的 GGUF 模型文件' },
  operands: [{ name: 'FILE.gguf', about: { en: 'the weights', zh: '模型文件' } }],
  flags: [
    {
      name: 'id',
      value: 'ID',
      about: { en: "what clients call it; else the file's own name", zh: '客户端使用的名称；默认取文件自带的名称' },
    },
    { name: 'currency', value: 'CNY', about: { en: 'of the prices', zh: '价格的币种' } },
    { name: 'input-price', value: 'P', about: { en: 'per million input tokens', zh: '每百万输入词元的价格' } },
    {
      name: 'cached-input-price',
      value: 'P',
      about: { en: 'per million cached input tokens', zh: '每百万缓存输入词元的价格' },
    },
    { name: 'output-price', value: 'P', about: { en: 'per million output tokens', zh: '每百万输出词元的价格' } },
  ],
  fields: {
    'models.id': '--id',
    'models.prices.currency': '--currency',
    'models.prices.inputPerM': '--input-price',
    'models.prices.cachedInputPerM': '--cached-input-price',
    'models.prices.outputPerM': '--output-price',
  },
  examples: [
    'model add ./qwen3-4b-q4_k_m.gguf',
    'model add ./qwen3-4b-q4_k_m.gguf --id qwen3-4b --currency CNY --input-price 0.5 --output-price 2',
  ],
  json: '{"id","file","contextTokens","prices":[…]}',
  async run(call) {
    const [operand = ''] = call.operands;
    const file = resolve(operand);
    const client = await call.client();
    const found = await client.call(modelFileSchema, 'POST', '/api/v1/models/inspect', { file });
    const id = call.optional('id') ?? modelIdOf(found.name || basename(file, '.gguf'));
    const prices = pricesOf(call);
    const { contextTokens } = found;
    const maxOutputTokens = Math.max(1, Math.min(ANSWER_TOKENS_MAX, Math.floor(contextTokens * ANSWER_SHARE)));
    const deployment = { id: deploymentIdOf(id), engine: { file } };
    const operations = ['chat', 'completions', 'embeddings'];
    await client.call(applyResultSchema, 'POST', '/api/v1/config/apply', {
      config: { models: [{ id, operations, contextTokens, maxOutputTokens, prices, deployments: [deployment] }] },
    });
    if (!isPriced(call))
      call.note(
        call.lang === 'zh'
          ? '未指定价格，因此免费；用 --input-price 与 --output-price 定价。'
          : 'No price was given, so it is free; --input-price and --output-price set one.',
      );
    const names = call.lang === 'zh' ? ['模型', '文件', '上下文'] : ['model', 'file', 'context'];
    call.answer({ id, file, contextTokens, prices }, () =>
      facts([
        [names[0] ?? '', id],
        [names[1] ?? '', file],
        [names[2] ?? '', String(contextTokens)],
      ]),
    );
    return 0;
  },
};

const isPriced = (call: CommandCall) =>
  ['input-price', 'cached-input-price', 'output-price'].some(name => call.optional(name) !== undefined);

/** Without a price a model would be refused to everyone: then it is free, in the currencies of the price books. */
function pricesOf(call: CommandCall): readonly object[] {
  const price = (currency: string) => ({
    currency,
    inputPerM: call.optional('input-price') ?? '0',
    cachedInputPerM: call.optional('cached-input-price'),
    outputPerM: call.optional('output-price') ?? '0',
  });
  const currency = call.optional('currency');
  if (currency !== undefined || isPriced(call)) return [price(currency ?? 'CNY')];
  return [price('CNY'), price('USD')];
}

function modelIdOf(name: string): string {
  const id = name
    .trim()
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
