/**
 * Longest answer in tokens, thinking included, of current models, by host of the vendor and its name of the model. Gathered on
 * 2026-11-23 from the vendors' own pages. It bounds what may be charged and held where nobody set a limit, and is sent to nobody.
 */
export const ANSWER_LENGTHS: readonly (readonly [host: string, model: string, tokens: number])[] = Object.freeze([
  // https://api-docs.deepseek.com/quick_start/pricing: 384K
  ['api.deepseek.com', 'deepseek-flash', 393_216],
  ['api.deepseek.com', 'deepseek-v4-flash', 393_216],
  ['api.deepseek.com', 'deepseek-v4-flash-vision-exp', 393_216],
  ['api.deepseek.com', 'deepseek-v4-pro', 393_216],
  // https://cloud.baidu.com/doc/qianfan-api/s/rmwbl43x7
  ['qianfan.baidubce.com', 'ernie-5.0', 126_976],
  // https://cloud.tencent.com/document/product/1823/132252
  ['tokenhub.tencentmaas.com', 'hy3', 131_072],
  // https://docs.bigmodel.cn: 128K
  ['open.bigmodel.cn', 'glm-5.3', 131_072],
  ['open.bigmodel.cn', 'glm-5.2', 131_072],
]);
