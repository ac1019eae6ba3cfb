import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FAULTS, type FaultCode } from '@millrace/contract';
import { Fault } from '../../../ground/std/index.ts';
import { openaiChat } from './index.ts';

type Body = object | string;
const decode = (status: number, body: Body, headers: Record<string, string> = {}) =>
  openaiChat.decodeFault(
    status,
    new Map(Object.entries(headers)),
    Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  );
const error = (code: string | number | null, message = '', type?: string) => ({ error: { code, message, type } });

// Shapes and codes from the vendors' error pages (November 2026).
const UPSTREAM: readonly {
  readonly from: string;
  readonly status: number;
  readonly body: Body;
  readonly is: FaultCode;
}[] = [
  {
    from: 'a wrong key of ours',
    status: 401,
    body: error('invalid_api_key', 'Incorrect API key provided'),
    is: 'upstream_error',
  },
  { from: 'no balance', status: 402, body: error(null, 'Insufficient Balance'), is: 'upstream_error' },
  {
    from: 'OpenAI, money gone',
    status: 429,
    body: error(
      'insufficient_quota',
      'You exceeded your current quota, please check your plan and billing details.',
      'insufficient_quota',
    ),
    is: 'upstream_error',
  },
  {
    from: 'OpenAI, spend limit',
    status: 429,
    body: error('organization_spend_limit_exceeded', '', 'insufficient_quota'),
    is: 'upstream_error',
  },
  {
    from: 'OpenAI, rate',
    status: 429,
    body: error('rate_limit_exceeded', 'Rate limit reached for gpt-6'),
    is: 'capacity',
  },
  { from: 'OpenAI, ramp', status: 429, body: error('slow_down'), is: 'capacity' },
  { from: 'OpenAI, overload', status: 503, body: error('server_is_overloaded'), is: 'capacity' },
  {
    from: 'OpenAI, parameter',
    status: 400,
    body: error('unsupported_parameter', "Unsupported parameter: 'temperature'"),
    is: 'invalid_parameter',
  },
  { from: 'OpenAI, context', status: 400, body: error('context_length_exceeded', ''), is: 'context_length_exceeded' },
  {
    from: 'Azure, filter',
    status: 400,
    body: error('content_filter', 'The response was filtered', ''),
    is: 'invalid_parameter',
  },
  {
    from: 'Alibaba, token rate',
    status: 429,
    body: error(
      'insufficient_quota',
      'You exceeded your current requests list: Allocated quota exceeded, please increase your quota limit',
    ),
    is: 'capacity',
  },
  {
    from: 'Alibaba, ramp',
    status: 429,
    body: error('limit_burst_rate', 'Request rate increased too quickly'),
    is: 'capacity',
  },
  {
    from: 'Alibaba, unpaid',
    status: 400,
    body: error('Arrearage', 'Access denied, please make sure your account is in good standing.'),
    is: 'upstream_error',
  },
  {
    from: 'Alibaba, filter',
    status: 400,
    body: error('data_inspection_failed', 'Input data may contain inappropriate content.'),
    is: 'invalid_parameter',
  },
  {
    from: 'Alibaba, native shape',
    status: 400,
    body: { code: 'DataInspectionFailed', message: 'x', request_id: 'r' },
    is: 'invalid_parameter',
  },
  { from: 'Volcano, overdue', status: 403, body: error('AccountOverdueError'), is: 'upstream_error' },
  {
    from: 'Volcano, rate',
    status: 429,
    body: error('RateLimitExceeded.EndpointTPMExceeded', '', 'TooManyRequests'),
    is: 'capacity',
  },
  {
    from: 'Volcano, filter',
    status: 400,
    body: error('SensitiveContentDetected.SevereViolation'),
    is: 'invalid_parameter',
  },
  { from: 'Volcano, model', status: 404, body: error('ModelNotOpen'), is: 'upstream_error' },
  { from: 'Baidu, context', status: 400, body: error('tokens_too_long'), is: 'context_length_exceeded' },
  {
    from: 'Baidu, legacy rate',
    status: 200,
    body: { error_code: 336501, error_msg: 'Rate limit reached for RPM' },
    is: 'capacity',
  },
  { from: 'Tencent, filter', status: 451, body: error('451001'), is: 'invalid_parameter' },
  {
    from: 'Tencent, native',
    status: 200,
    body: { Response: { Error: { Code: 'LimitExceeded', Message: 'rate limit' } } },
    is: 'capacity',
  },
  { from: 'Huawei, rate', status: 429, body: error('ModelArts.81101'), is: 'capacity' },
  { from: 'Huawei, plan used up', status: 403, body: error('ModelArts.81022'), is: 'upstream_error' },
  { from: 'Zhipu, balance', status: 429, body: error('1113', '余额不足或无可用资源包,请充值。'), is: 'upstream_error' },
  { from: 'Zhipu, concurrency', status: 429, body: error('1302', '您当前使用该API的并发数过高'), is: 'capacity' },
  { from: 'Zhipu, plan', status: 429, body: error('1308', '已达到使用上限'), is: 'upstream_error' },
  { from: 'Zhipu, prompt', status: 400, body: error('1261', 'Prompt 超长'), is: 'context_length_exceeded' },
  {
    from: 'Moonshot, overload',
    status: 429,
    body: error(null, 'The engine is currently overloaded', 'engine_overloaded_error'),
    is: 'capacity',
  },
  {
    from: 'Moonshot, balance',
    status: 429,
    body: error(null, 'Your account is suspended', 'exceeded_current_quota_error'),
    is: 'upstream_error',
  },
  {
    from: 'MiniMax, rate',
    status: 200,
    body: { base_resp: { status_code: 1002, status_msg: 'rate limit' } },
    is: 'capacity',
  },
  {
    from: 'MiniMax, balance',
    status: 200,
    body: { base_resp: { status_code: 1008, status_msg: 'insufficient balance' } },
    is: 'upstream_error',
  },
  {
    from: 'SiliconFlow, own shape',
    status: 403,
    body: { code: 30001, message: 'Sorry, your account balance is insufficient', data: null },
    is: 'upstream_error',
  },
  {
    from: 'SiliconFlow, parameter',
    status: 400,
    body: { code: 20012, message: 'Model does not exist. Please check it carefully.', data: null },
    is: 'upstream_error',
  },
  {
    from: 'Spark, own shape',
    status: 200,
    body: { code: 10907, message: 'token too long', sid: 's' },
    is: 'context_length_exceeded',
  },
  {
    from: 'xAI, error as text',
    status: 200,
    body: { code: 'Some resource has been exhausted', error: 'Too many requests' },
    is: 'capacity',
  },
  { from: 'OpenRouter, status as code', status: 200, body: error(429, 'Provider returned error'), is: 'capacity' },
  { from: 'OpenRouter, credits', status: 402, body: error(402, 'Insufficient credits'), is: 'upstream_error' },
  {
    from: 'OpenRouter, moderation',
    status: 403,
    body: error(403, 'Your input was flagged by moderation'),
    is: 'invalid_parameter',
  },
  {
    from: 'Together, context',
    status: 403,
    body: error(null, 'The prompt and max_tokens exceed the model context length limit'),
    is: 'context_length_exceeded',
  },
  {
    from: 'Fireworks, suspended',
    status: 412,
    body: { error: 'Account suspended: spending limit reached' },
    is: 'upstream_error',
  },
  { from: 'Groq, flex', status: 498, body: error('capacity_exceeded'), is: 'capacity' },
  {
    from: 'Groq, beyond the rate',
    status: 413,
    body: error('rate_limit_exceeded', 'Request too large', 'tokens'),
    is: 'capacity',
  },
  {
    from: 'Anthropic layer',
    status: 529,
    body: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    is: 'capacity',
  },
  {
    from: 'Google layer',
    status: 429,
    body: { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Quota' } },
    is: 'capacity',
  },
  {
    from: 'vLLM, context',
    status: 400,
    body: error(400, "This model's maximum context length is 4096 tokens", 'BadRequestError'),
    is: 'context_length_exceeded',
  },
  {
    from: 'vLLM, older shape',
    status: 400,
    body: { object: 'error', message: 'bad', type: 'BadRequestError', code: 400 },
    is: 'invalid_parameter',
  },
  {
    from: 'TGI, validation',
    status: 422,
    body: { error: 'Input validation error', error_type: 'validation' },
    is: 'invalid_parameter',
  },
  {
    from: 'TGI, generation',
    status: 424,
    body: { error: 'Request failed', error_type: 'generation' },
    is: 'upstream_error',
  },
  {
    from: 'TGI, overload',
    status: 429,
    body: { error: 'Model is overloaded', error_type: 'overloaded' },
    is: 'capacity',
  },
  { from: 'Xinference', status: 503, body: { detail: 'busy' }, is: 'capacity' },
  {
    from: 'FastAPI',
    status: 422,
    body: { detail: [{ loc: ['body'], msg: 'field required' }] },
    is: 'invalid_parameter',
  },
  { from: 'llama.cpp, loading', status: 503, body: error(503, 'Loading model', 'unavailable_error'), is: 'capacity' },
  {
    from: 'DeepSeek, model',
    status: 400,
    body: error('invalid_request_error', 'Model Not Exist'),
    is: 'upstream_error',
  },
  {
    from: 'Cohere, message only',
    status: 400,
    body: { message: 'invalid request: temperature' },
    is: 'invalid_parameter',
  },
  { from: 'a body too large', status: 413, body: '<html>413</html>', is: 'payload_too_large' },
  { from: 'a proxy, timeout', status: 504, body: '<html>', is: 'upstream_timeout' },
  { from: 'a proxy, no body', status: 502, body: '', is: 'upstream_error' },
  {
    from: 'words of overload with a 500',
    status: 500,
    body: error(null, 'server is busy, overloaded'),
    is: 'capacity',
  },
  { from: 'a redirect', status: 302, body: '', is: 'upstream_error' },
  { from: 'an error without words', status: 400, body: { error: true }, is: 'invalid_parameter' },
  { from: 'JSON that is no object', status: 400, body: '[1]', is: 'invalid_parameter' },
];

describe('what an upstream said', () => {
  for (const { from, status, body, is } of UPSTREAM) {
    test(`${from}: ${is}`, () => {
      const fault = decode(status, body);
      assert.equal(fault.code, is, fault.details.internal ?? from);
      assert.ok(fault.details.internal);
      // Only what the caller can mend is told as the caller's own.
      assert.notEqual(fault.status, 401);
      assert.notEqual(fault.status, 402);
      if (is === 'capacity') assert.ok((fault.details.retryAfterMs ?? 0) > 0);
      if (is === 'upstream_error') assert.equal(fault.message, FAULTS.upstream_error.title.en);
    });
  }

  test('words, field and code go on where the caller can act on them', () => {
    const refused = decode(400, {
      error: { message: 'Bad value at https://internal/x for sk-abcdef123456', param: 'messages[0].name', code: null },
    });
    assert.equal(refused.message, 'Bad value at [url] for [key]');
    assert.equal(refused.details.param, 'messages[0].name');
    assert.equal(decode(400, { error: { message: 'x', param: '<script>' } }).details.param, undefined);
    const filtered = decode(400, error('data_inspection_failed', 'no'));
    assert.equal(filtered.details.publicCode, 'data_inspection_failed');
    assert.equal(decode(451, '').details.publicCode, 'content_filter');
    assert.notEqual(decode(400, '').messageIn('zh'), decode(400, '').messageIn('en'));
  });

  test('secrets and prompts stay out of what is logged', () => {
    const refused = decode(422, { detail: [{ msg: "Input should be a string, input_value='my secret prompt'" }] });
    assert.doesNotMatch(refused.details.internal ?? '', /prompt/);
    const account = decode(401, error('invalid_api_key', 'Incorrect API key provided: sk-abcdefghijklmn'));
    assert.doesNotMatch(`${account.details.internal}${account.message}`, /abcdefgh/);
  });

  test('the wait is the one the upstream named', () => {
    assert.equal(decode(429, '', { 'retry-after': '7' }).details.retryAfterMs, 7_000);
    assert.equal(decode(503, '', { 'retry-after-ms': '1500' }).details.retryAfterMs, 1_500);
    const date = { date: 'Tue, 24 Nov 2026 10:00:00 GMT', 'retry-after': 'Tue, 24 Nov 2026 10:00:09 GMT' };
    assert.equal(decode(529, '', date).details.retryAfterMs, 9_000);
    assert.equal(decode(429, '', { 'x-ratelimit-reset-tokens': '6m0s' }).details.retryAfterMs, 360_000);
  });

  test('nothing that an upstream can send makes it throw', () => {
    for (const status of [0, 200, 400, 500]) {
      for (const body of [
        '',
        '{',
        'null',
        '"x"',
        '{"error":{}}',
        '{"error":[]}',
        '{"error":{"code":{},"message":[]}}',
        `{"error":"${'x'.repeat(1e6)}"}`,
        '['.repeat(1e5),
        '{"detail":[null,1,{"msg":1}]}',
        '{"Response":{"Error":1}}',
      ]) {
        assert.ok(decode(status, body) instanceof Fault);
      }
    }
  });
});

describe('what we say', () => {
  const encode = (fault: Fault, lang: 'en' | 'zh' = 'en') =>
    openaiChat.encodeFault(fault, { requestId: 'req-1', lang });

  test('every fault has the shape OpenAI clients read, in both languages', () => {
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      for (const lang of ['en', 'zh'] as const) {
        const { status, headers, body } = encode(new Fault(code), lang);
        assert.equal(status, FAULTS[code].status);
        assert.equal(headers['content-type'], 'application/json');
        assert.deepEqual(JSON.parse(body), {
          error: {
            message: FAULTS[code].title[lang],
            type: FAULTS[code].openaiType,
            param: null,
            code,
            request_id: 'req-1',
          },
        });
      }
    }
  });

  test('Retry-After is in whole seconds, rounded up; 429 and 503 always have it, 402 never', () => {
    const cases = [
      ['rate_limited', 1_001, '2'],
      ['rate_limited', 0, '1'],
      ['rate_limited', undefined, '1'],
      ['capacity', 59_999.5, '60'],
      ['unavailable', undefined, '1'],
      ['insufficient_funds', 5_000, undefined],
      ['invalid_parameter', undefined, undefined],
      ['upstream_error', undefined, undefined],
      ['upstream_error', 3_000, '3'],
    ] as const;
    for (const [code, retryAfterMs, expected] of cases) {
      const fault = new Fault(code, retryAfterMs === undefined ? {} : { retryAfterMs });
      assert.equal(encode(fault).headers['retry-after'], expected, code);
    }
  });

  test('limit headers, field and code of the fault are told; its internal words are not', () => {
    const { headers, body } = encode(
      new Fault('invalid_parameter', {
        headers: { 'x-ratelimit-limit-requests': '60' },
        param: 'n',
        publicCode: 'content_filter',
        internal: 'secret',
      }),
    );
    assert.equal(headers['x-ratelimit-limit-requests'], '60');
    assert.equal(JSON.parse(body).error.param, 'n');
    assert.equal(JSON.parse(body).error.code, 'content_filter');
    assert.ok(!body.includes('secret'));
  });
});
