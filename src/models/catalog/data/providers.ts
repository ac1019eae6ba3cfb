import type { Quirk } from '../snapshot.ts';

/** A vendor whose address need not be looked up: a configuration names its id and a key. */
export interface KnownProvider {
  readonly name: string;
  /** Of the OpenAI chat dialect, in the vendor's first region. */
  readonly baseUrl: string;
  readonly quirks: readonly Quirk[];
  /** Where the address and the quirks were read; gathered on 2026-11-23. */
  readonly sources: readonly string[];
}

/** OpenRouter's lists of upstreams that go on, and bill, after a closed connection. */
const OPENROUTER_ABORTS = 'https://openrouter.ai/docs/api_reference/streaming';
/** New API's list of vendors that take `stream_options`. */
const NEW_API = 'https://github.com/SolveaCX/new-api/blob/c8c492acb/relay/common/relay_info.go';
/** Vercel's AI SDK, `packages/VENDOR` with recorded answers. */
const vercel = (vendor: string) => `https://github.com/vercel/ai/tree/ed857f50f1/packages/${vendor}`;

/** Where nothing is known of the bill after a closed connection, the connection is closed: no quirk. */
export const KNOWN_PROVIDERS: Readonly<Record<string, KnownProvider>> = Object.freeze({
  openai: {
    name: 'OpenAI',
    baseUrl: 'https://api.openai.com/v1',
    quirks: ['max-completion-tokens'],
    sources: [vercel('openai'), OPENROUTER_ABORTS],
  },
  deepseek: {
    name: 'DeepSeek',
    baseUrl: 'https://api.deepseek.com',
    quirks: [],
    sources: ['https://api-docs.deepseek.com/quick_start/pricing', vercel('deepseek'), OPENROUTER_ABORTS],
  },
  alibaba: {
    name: 'Alibaba Cloud Model Studio (百炼)',
    baseUrl: 'https://dashscope.aliyuncs.com/compatible-mode/v1',
    quirks: ['drain-on-disconnect'],
    sources: ['https://help.aliyun.com/zh/model-studio/rate-limit', vercel('alibaba'), OPENROUTER_ABORTS],
  },
  volcengine: {
    name: 'Volcano Engine Ark (火山方舟)',
    baseUrl: 'https://ark.cn-beijing.volces.com/api/v3',
    // `max_tokens` leaves thinking out there; only one of the two may be sent.
    quirks: ['max-completion-tokens'],
    sources: ['https://www.volcengine.com/docs/82379/1299023', NEW_API],
  },
  qianfan: {
    name: 'Baidu Qianfan (百度千帆)',
    baseUrl: 'https://qianfan.baidubce.com/v2',
    quirks: [],
    sources: ['https://cloud.baidu.com/doc/qianfan-api/s/rmwbl43x7', NEW_API],
  },
  tencent: {
    name: 'Tencent TokenHub (腾讯)',
    baseUrl: 'https://tokenhub.tencentmaas.com/v1',
    quirks: [],
    sources: ['https://cloud.tencent.com/document/product/1823/132252'],
  },
  huawei: {
    name: 'Huawei Cloud ModelArts MaaS (华为云)',
    baseUrl: 'https://api.modelarts-maas.com/v2',
    quirks: [],
    sources: [
      'https://support.huaweicloud.com/intl/zh-cn/model-call-maas/model-call-019.html',
      'https://support.huaweicloud.com/model-call-maas/model-call-101.md',
    ],
  },
  zhipu: {
    name: 'Zhipu BigModel (智谱)',
    baseUrl: 'https://open.bigmodel.cn/api/paas/v4',
    quirks: [],
    sources: ['https://docs.bigmodel.cn/cn/api/api-code'],
  },
  moonshot: {
    name: 'Moonshot AI (月之暗面)',
    baseUrl: 'https://api.moonshot.cn/v1',
    quirks: [],
    sources: ['https://www.kimi.com/help/kimi-api/api-troubleshooting'],
  },
  minimax: {
    name: 'MiniMax',
    baseUrl: 'https://api.minimaxi.com/v1',
    quirks: ['drain-on-disconnect'],
    sources: ['https://platform.minimax.io/docs/api-reference/errorcode.md', OPENROUTER_ABORTS],
  },
  stepfun: {
    name: 'StepFun (阶跃星辰)',
    baseUrl: 'https://api.stepfun.com/v1',
    quirks: [],
    sources: ['https://platform.stepfun.com/docs/zh/guide/exception'],
  },
  baichuan: {
    name: 'Baichuan (百川智能)',
    baseUrl: 'https://api.baichuan-ai.com/v1',
    quirks: ['no-stream-options'],
    sources: ['https://platform.baichuan-ai.com/docs/api', NEW_API],
  },
  siliconflow: {
    name: 'SiliconFlow (硅基流动)',
    baseUrl: 'https://api.siliconflow.cn/v1',
    quirks: [],
    sources: ['https://docs.siliconflow.cn/cn/faqs/error-code.md'],
  },
  mistral: {
    name: 'Mistral',
    baseUrl: 'https://api.mistral.ai/v1',
    quirks: ['no-stream-options', 'drain-on-disconnect'],
    sources: ['https://docs.mistral.ai/resources/error-glossary.md', vercel('mistral'), OPENROUTER_ABORTS],
  },
  gemini: {
    name: 'Google Gemini',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
    quirks: ['drain-on-disconnect', 'thinking-in-total'],
    sources: ['https://ai.google.dev/gemini-api/docs/openai.md.txt', OPENROUTER_ABORTS],
  },
  groq: {
    name: 'Groq',
    baseUrl: 'https://api.groq.com/openai/v1',
    quirks: ['drain-on-disconnect'],
    sources: ['https://console.groq.com/docs/errors', OPENROUTER_ABORTS],
  },
  xai: {
    name: 'xAI',
    baseUrl: 'https://api.x.ai/v1',
    quirks: ['max-completion-tokens'],
    sources: ['https://docs.x.ai/developers/debugging.md', vercel('xai'), OPENROUTER_ABORTS],
  },
  cohere: {
    name: 'Cohere',
    baseUrl: 'https://api.cohere.ai/compatibility/v1',
    quirks: ['no-stream-options'],
    sources: ['https://docs.cohere.com/v1/reference/errors.md', NEW_API, OPENROUTER_ABORTS],
  },
  together: {
    name: 'Together AI',
    baseUrl: 'https://api.together.ai/v1',
    quirks: [],
    sources: ['https://docs.together.ai/docs/error-codes', vercel('togetherai'), OPENROUTER_ABORTS],
  },
  fireworks: {
    name: 'Fireworks AI',
    baseUrl: 'https://api.fireworks.ai/inference/v1',
    quirks: [],
    sources: ['https://docs.fireworks.ai/guides/inference-error-codes.md', vercel('fireworks'), OPENROUTER_ABORTS],
  },
  openrouter: {
    name: 'OpenRouter',
    baseUrl: 'https://openrouter.ai/api/v1',
    quirks: [],
    sources: [OPENROUTER_ABORTS],
  },
} satisfies Record<string, KnownProvider>);
