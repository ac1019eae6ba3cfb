import type { ModelView } from '@millrace/contract';
import type { Lang, Words } from '../language.ts';

export interface PageWords {
  readonly title: string;
  readonly lead: string;
  readonly ready: string;
  readonly notReady: (reasons: readonly string[]) => string;
  readonly models: string;
  readonly states: Readonly<Record<ModelView['deployments'][number]['state'], string>>;
  readonly tokens: (count: string) => string;
  readonly noModels: string;
  readonly call: string;
  readonly makeKey: string;
  readonly setKey: string;
  readonly thenCall: string;
  readonly copy: string;
  readonly copied: string;
  readonly after: string;
  readonly commands: readonly (readonly [command: string, about: string])[];
  readonly question: string;
  readonly otherLang: string;
  readonly version: string;
  readonly health: string;
  readonly readiness: string;
  readonly metrics: string;
  readonly docs: string;
}

const REASONS: Readonly<Record<string, Words>> = {
  draining: { en: 'the node shuts down', zh: '节点正在关闭' },
  journal_broken: { en: 'the journal cannot be written', zh: '日志无法写入' },
  storage_full: { en: 'the disk is full', zh: '磁盘已满' },
  engine_loading: { en: 'an engine loads', zh: '引擎正在加载' },
  engine_failed: { en: 'an engine cannot load its model', zh: '引擎无法加载模型' },
};

/** `/readyz` says the reasons as stable words; a person reads them as these. */
function reasonText(reason: string, lang: Lang): string {
  const [word = '', of] = reason.split(':');
  return `${REASONS[word]?.[lang] ?? word}${of === undefined ? '' : ` (${of})`}`;
}

export const PAGE_WORDS: Readonly<Record<Lang, PageWords>> = {
  en: {
    title: 'Millrace is running',
    lead: 'One API, one router, one bill.',
    ready: 'Ready',
    notReady: reasons => `Not ready yet: ${reasons.map(reason => reasonText(reason, 'en')).join(', ')}`,
    models: 'Models',
    states: { ready: 'ready', starting: 'loading', failed: 'could not be loaded', resting: 'resting after failures' },
    tokens: count => `${count} tokens of context`,
    noModels: 'There is no model yet. Serve a file of your own, or apply a configuration:',
    call: 'Call it',
    makeKey: 'Make a key. It is shown once.',
    setKey: 'Put it where your shell finds it.',
    thenCall: "Ask, with any client of OpenAI's chat completions.",
    copy: 'Copy',
    copied: 'Copied',
    after: 'And then',
    commands: [
      ['./millrace usage --org default', 'what was used, and what it cost'],
      ['./millrace wallet credit --org default --amount 100 --currency CNY', 'top up a wallet'],
      ['./millrace model add FILE.gguf --free', 'serve your own weights'],
      ['./millrace apply -f millrace.yaml', 'other vendors, prices, customers: one file'],
      ['./millrace ledger verify', 'prove that the books are right'],
    ],
    question: 'What is 47 + 38?',
    otherLang: '中文',
    version: 'Version',
    health: 'Health',
    readiness: 'Readiness',
    metrics: 'Metrics',
    docs: 'Documentation: docs/en/',
  },
  zh: {
    title: 'Millrace 正在运行',
    lead: '一个 API，一个路由，一张账单。',
    ready: '已就绪',
    notReady: reasons => `尚未就绪：${reasons.map(reason => reasonText(reason, 'zh')).join('，')}`,
    models: '模型',
    states: { ready: '就绪', starting: '加载中', failed: '加载失败', resting: '多次失败，暂停调用' },
    tokens: count => `上下文 ${count} 词元`,
    noModels: '还没有模型。可以直接提供本地模型文件，或应用一份配置：',
    call: '调用方法',
    makeKey: '创建密钥，密钥只显示一次。',
    setKey: '存入环境变量。',
    thenCall: '发起请求，使用 OpenAI 对话补全接口的客户端均可。',
    copy: '复制',
    copied: '已复制',
    after: '接下来',
    commands: [
      ['./millrace usage --org default', '查看用量与费用'],
      ['./millrace wallet credit --org default --amount 100 --currency CNY', '给钱包充值'],
      ['./millrace model add FILE.gguf --free', '提供自己的模型文件'],
      ['./millrace apply -f millrace.yaml', '接入其他供应商、定价、客户，一份文件搞定'],
      ['./millrace ledger verify', '证明账目无误'],
    ],
    question: '47 + 38 等于多少？',
    otherLang: 'English',
    version: '版本',
    health: '存活检查',
    readiness: '就绪检查',
    metrics: '监控指标',
    docs: '文档：docs/zh/',
  },
};
