import { knownProviderListSchema, providerAddedSchema, providerListSchema, removedSchema } from '@millrace/contract';
import type { Command, CommandCall } from '../command.ts';
import { usageFault } from '../parse-argv.ts';
import { readText } from '../read-text.ts';
import { facts, listText } from '../show.ts';

const list: Command = {
  name: 'provider list',
  about: { en: 'whose APIs are called, and where', zh: '列出已接入的供应商及其地址' },
  flags: [],
  examples: ['provider list'],
  json: '{"providers":[{"id","dialect","baseUrl","hasKey","allowPrivateNetwork","quirks"}]}',
  async run(call) {
    const client = await call.client();
    const answer = await client.call(providerListSchema, 'GET', '/api/v1/providers');
    const zh = call.lang === 'zh';
    const titles = zh ? ['ID', '地址', '密钥', '特性'] : ['ID', 'ADDRESS', 'KEY', 'QUIRKS'];
    call.answer(answer, () =>
      listText(
        call.lang,
        titles.map(title => ({ title })),
        answer.providers.map(({ id, baseUrl, hasKey, quirks }) => [
          id,
          baseUrl,
          hasKey ? (zh ? '有' : 'yes') : zh ? '无' : 'no',
          quirks.join(' ') || '-',
        ]),
      ),
    );
    return 0;
  },
};

const known: Command = {
  name: 'provider known',
  about: {
    en: 'vendors whose address is known: their id and a key are enough',
    zh: '列出地址已知的供应商：只需 ID 与密钥即可接入',
  },
  flags: [],
  examples: ['provider known'],
  json: '{"providers":[{"id","name","baseUrl","quirks","added"}]}',
  async run(call) {
    const client = await call.client();
    const answer = await client.call(knownProviderListSchema, 'GET', '/api/v1/providers/known');
    const zh = call.lang === 'zh';
    const titles = zh ? ['ID', '名称', '地址', '已接入'] : ['ID', 'NAME', 'ADDRESS', 'ADDED'];
    call.answer(answer, () =>
      listText(
        call.lang,
        titles.map(title => ({ title })),
        answer.providers.map(({ id, name, baseUrl, added }) => [id, name, baseUrl, added ? '✓' : '']),
      ),
    );
    return 0;
  },
};

const add: Command = {
  name: 'provider add',
  about: {
    en: "call another vendor's API, or an engine of your own by its URL",
    zh: '接入供应商的 API，或自有引擎的地址',
  },
  operands: [
    { name: 'ID', about: { en: 'one of `provider known`, or of your choice', zh: '见 `provider known`，或自行命名' } },
  ],
  flags: [
    {
      name: 'base-url',
      value: 'URL',
      about: { en: 'https://…/v1; not needed for a known vendor', zh: 'https://…/v1；已知供应商可省略' },
    },
    {
      name: 'key-env',
      value: 'NAME',
      about: { en: 'the variable of this shell that holds its key', zh: '保存其密钥的环境变量名' },
    },
    {
      name: 'key-file',
      value: 'FILE',
      about: { en: 'the file that holds its key; - reads standard input', zh: '保存其密钥的文件；- 表示标准输入' },
    },
    {
      name: 'quirks',
      value: 'A,B',
      about: {
        en: 'drain-on-disconnect, no-stream-options, max-completion-tokens',
        zh: 'drain-on-disconnect、no-stream-options、max-completion-tokens',
      },
    },
    {
      name: 'allow-private-network',
      about: { en: 'it may be an address of a private network', zh: '允许使用私有网络地址' },
    },
    {
      name: 'replace',
      about: {
        en: 'set one that is there anew; it keeps its key where none is given and the address stays',
        zh: '重新设置已有的供应商；未给出密钥且地址不变时保留原密钥',
      },
    },
  ],
  fields: {
    id: 'ID',
    baseUrl: '--base-url',
    'providers.id': 'ID',
    'providers.baseUrl': '--base-url',
    'providers.quirks': '--quirks',
    'providers.apiKey': '--key-env',
  },
  terms: { 'allowPrivateNetwork: true': '--allow-private-network' },
  examples: [
    'DEEPSEEK_KEY=sk-… ./millrace provider add deepseek --key-env DEEPSEEK_KEY',
    'provider add vllm --base-url http://10.0.0.7:8000/v1 --allow-private-network',
  ],
  json: '{"id","dialect","baseUrl","hasKey","allowPrivateNetwork","quirks","replaced"}',
  async run(call) {
    const [id = ''] = call.operands;
    const provider = {
      id,
      baseUrl: call.optional('base-url'),
      apiKey: keyOf(call),
      allowPrivateNetwork: call.isSet('allow-private-network') || undefined,
      quirks: call
        .optional('quirks')
        ?.split(',')
        .map(part => part.trim()),
    };
    const client = await call.client();
    const body = { provider, replace: call.isSet('replace') };
    const added = await client.call(providerAddedSchema, 'POST', '/api/v1/providers', body);
    const zh = call.lang === 'zh';
    call.answer(added, () =>
      facts([
        [zh ? '供应商' : 'provider', added.id],
        [zh ? '地址' : 'address', added.baseUrl],
        [zh ? '密钥' : 'key', added.hasKey ? (zh ? '有' : 'yes') : zh ? '无' : 'no'],
      ]),
    );
    return 0;
  },
};

/** Never on the command line itself, where everybody on the machine can read it. */
function keyOf(call: CommandCall): string | undefined {
  const [name, file] = [call.optional('key-env'), call.optional('key-file')];
  if (name !== undefined && file !== undefined)
    throw usageFault('--key-file does not go with --key-env', '--key-file 不能与 --key-env 同时使用');
  if (file !== undefined) return readText(file).trim();
  if (name === undefined) return undefined;
  const value = call.env[name];
  if (!value)
    throw usageFault(`--key-env: the environment variable ${name} is not set`, `--key-env：环境变量 ${name} 未设置`);
  return value;
}

const remove: Command = {
  name: 'provider remove',
  about: { en: 'take a provider out, with its key', zh: '移除供应商及其密钥' },
  operands: [{ name: 'ID', about: { en: 'as `provider list` shows it', zh: '见 `provider list`' } }],
  flags: [],
  examples: ['provider remove deepseek'],
  json: '{"id","removed":true}',
  async run(call) {
    const client = await call.client();
    const [id = ''] = call.operands;
    const answer = await client.call(removedSchema, 'DELETE', `/api/v1/providers/${encodeURIComponent(id)}`);
    call.answer(answer, () => facts([[call.lang === 'zh' ? '已移除' : 'removed', answer.id]]));
    return 0;
  },
};

export const PROVIDER_COMMANDS: readonly Command[] = [list, known, add, remove];
