/** Who has to act on a fault. */
export type FaultOwner = 'caller' | 'capacity' | 'upstream' | 'config' | 'platform';

/** Whether the same request may succeed when sent again. */
export type FaultRetry = 'never' | 'later' | 'now';

interface FaultEntry {
  readonly owner: FaultOwner;
  readonly status: number;
  readonly retry: FaultRetry;
  /** `type` of the error object in the OpenAI dialect. */
  readonly openaiType: string;
  readonly title: { readonly en: string; readonly zh: string };
}

/** The one table of faults: code → owner, HTTP status, retry rule, title. The reference page is checked against it by a test. */
export const FAULTS = {
  malformed_request: {
    owner: 'caller',
    status: 400,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'The request is malformed', zh: '请求格式有误' },
  },
  invalid_parameter: {
    owner: 'caller',
    status: 400,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'A parameter is not valid', zh: '参数无效' },
  },
  context_length_exceeded: {
    owner: 'caller',
    status: 400,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'The input is longer than the model can take', zh: '输入超出模型的上下文长度' },
  },
  invalid_api_key: {
    owner: 'caller',
    status: 401,
    retry: 'never',
    openaiType: 'authentication_error',
    title: { en: 'The API key is missing, wrong, expired or revoked', zh: 'API 密钥缺失、错误、过期或已吊销' },
  },
  insufficient_funds: {
    owner: 'caller',
    status: 402,
    retry: 'never',
    openaiType: 'insufficient_funds',
    title: { en: 'The wallet or the budget does not cover this request', zh: '钱包余额或预算不足以支付此请求' },
  },
  forbidden: {
    owner: 'caller',
    status: 403,
    retry: 'never',
    openaiType: 'permission_error',
    title: { en: 'This key may not do that', zh: '此密钥无权执行该操作' },
  },
  model_not_found: {
    owner: 'caller',
    status: 404,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'No such model', zh: '模型不存在' },
  },
  not_found: {
    owner: 'caller',
    status: 404,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'Nothing is here', zh: '资源不存在' },
  },
  method_not_allowed: {
    owner: 'caller',
    status: 405,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'This path takes another method', zh: '此路径不支持该请求方法' },
  },
  request_timeout: {
    owner: 'caller',
    status: 408,
    retry: 'now',
    openaiType: 'invalid_request_error',
    title: { en: 'The request did not arrive in time', zh: '请求未能及时送达' },
  },
  conflict: {
    owner: 'caller',
    status: 409,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'This contradicts what is already there', zh: '与现有内容冲突' },
  },
  payload_too_large: {
    owner: 'caller',
    status: 413,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'The request body is too large', zh: '请求体过大' },
  },
  rate_limited: {
    owner: 'caller',
    status: 429,
    retry: 'later',
    openaiType: 'rate_limit_error',
    title: {
      en: 'A rate, token or concurrency limit of this key is reached',
      zh: '已达到此密钥的速率、词元或并发上限',
    },
  },
  client_closed: {
    owner: 'caller',
    status: 499,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'The client closed the connection', zh: '客户端已断开连接' },
  },
  internal: {
    owner: 'platform',
    status: 500,
    retry: 'later',
    openaiType: 'server_error',
    title: { en: 'Something went wrong on our side', zh: '服务内部错误' },
  },
  upstream_error: {
    owner: 'upstream',
    status: 502,
    retry: 'later',
    openaiType: 'upstream_error',
    title: { en: 'The upstream failed', zh: '上游服务出错' },
  },
  capacity: {
    owner: 'capacity',
    status: 503,
    retry: 'later',
    openaiType: 'server_error',
    title: { en: 'All capacity is taken; the wait would exceed the bound', zh: '容量已满，预计等待时间超出上限' },
  },
  unavailable: {
    owner: 'capacity',
    status: 503,
    retry: 'later',
    openaiType: 'server_error',
    title: { en: 'No healthy deployment serves this model now', zh: '当前没有可用的部署提供此模型' },
  },
  upstream_timeout: {
    owner: 'upstream',
    status: 504,
    retry: 'later',
    openaiType: 'upstream_error',
    title: { en: 'The upstream did not answer in time', zh: '上游服务响应超时' },
  },
  config_invalid: {
    owner: 'config',
    status: 400,
    retry: 'never',
    openaiType: 'invalid_request_error',
    title: { en: 'The configuration is not valid', zh: '配置无效' },
  },
  unpriced: {
    owner: 'config',
    status: 403,
    retry: 'never',
    openaiType: 'permission_error',
    title: { en: 'This model has no price in the currency of the wallet', zh: '此模型没有以钱包币种标注的价格' },
  },
  storage_full: {
    owner: 'platform',
    status: 503,
    retry: 'later',
    openaiType: 'server_error',
    title: { en: 'The disk of this node is full; nothing new is admitted', zh: '本节点磁盘已满，暂停接收新请求' },
  },
} as const satisfies Record<string, FaultEntry>;

export type FaultCode = keyof typeof FAULTS;

export function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(FAULTS, code);
}

/** In the order of the table. */
export const FAULT_CODES: readonly FaultCode[] = Object.keys(FAULTS).filter(isFaultCode);
