import { Fault } from '../../../ground/std/index.ts';
import type { JsonObject } from '../codec.ts';
import { isObject, parseJson } from '../json.ts';
import { retryAfterMs } from '../retry-after.ts';
import { scrub } from '../scrub.ts';
import { findError, type UpstreamError } from './upstream-error.ts';

type Headers = ReadonlyMap<string, string>;

/** What an upstream's failure means to us. */
type Meaning = 'filter' | 'length' | 'capacity' | 'account' | 'model' | 'timeout' | 'too-large' | 'invalid' | 'failed';

interface Rule {
  readonly meaning: Meaning;
  readonly status?: readonly number[];
  /** One of the codes matches whole. */
  readonly code?: RegExp;
  readonly message?: RegExp;
}

/** Statuses under which words decide. 0: the failure came inside a 200. */
const REFUSALS = [0, 400, 403, 412, 413, 422, 429];

/**
 * First match wins; what a rule names must all match. The codes are those of the vendors' error pages as gathered in
 * November 2026 (OpenAI, Azure, DeepSeek, DashScope, Ark, Qianfan, TokenHub, MaaS, BigModel, Moonshot, MiniMax, StepFun,
 * SiliconFlow, Spark, Mistral, Groq, Together, Fireworks, OpenRouter, vLLM, TGI). A status alone decides nothing that a
 * code can decide: 429 is a rate, a balance, a plan or an overload, and a balance is 400, 402, 403, 412 or 429.
 */
const RULES: readonly Rule[] = [
  { meaning: 'filter', status: [451] },
  {
    meaning: 'filter',
    code: /content_?filter|content_policy_violation|ResponsibleAIPolicyViolation|data_?inspection_?failed|Sensitive\w*|1301|10013|10014|10019|10021|451001|moderation\w*/i,
  },
  {
    meaning: 'filter',
    status: [0, 400, 403, 422],
    message: /inappropriate content|content (?:management )?policy|flagged (?:by|for|as)|moderation/i,
  },
  { meaning: 'length', code: /context_length_exceeded|tokens_too_long|prompt_too_long|1261|10907/i },
  {
    meaning: 'length',
    status: [0, 400, 403, 413, 422, 500],
    message:
      /(?:maximum|model'?s|exceed\w*(?: the)?) (?:context|input|sequence) (?:length|window|size)|context (?:length|window|size) (?:of|is|exceeded|limit)|(?:prompt|input) (?:is |was )?too (?:long|many tokens)|exceeds? the available context|超出.{0,12}上下文|输入.{0,8}过长/i,
  },
  // The same code is a token rate at one vendor and an empty account at others: the words tell.
  {
    meaning: 'capacity',
    code: /insufficient_quota/i,
    message: /\brate\b|per (?:second|minute|hour|day)|\b[RT]P[MSD]\b|too many|throttl|allocated quota|quickly/i,
  },
  {
    meaning: 'account',
    code: /insufficient_(?:quota|balance|funds|credits?|user_quota)|\w*credit_balance\w*|\w+_spend_limit_(?:exceeded|reached)|\w+_usage_limit_exceeded|billing\w*|Arrearage|Account\w*Overdue\w*|exceeded_current_quota_error|1008|1113|1308|1310|1313|10016|11200|11201|40100[78]|403004|ModelArts\.810(?:19|2[123])/i,
  },
  { meaning: 'account', status: [402] },
  {
    meaning: 'account',
    status: REFUSALS,
    message:
      /insufficient (?:account )?(?:balance|credits?|funds)|balance (?:is )?(?:too low|insufficient|not enough)|credit balance|overdue payment|in good standing|spend(?:ing)? limit|余额不足|欠费/i,
  },
  {
    meaning: 'capacity',
    code: /rate_?limit\w*|\w*rate_limit_exceeded|RateLimitExceeded\.\w+|rate_limit_(?:exceeded|reached)\w*|slow_down|TooManyRequests|Throttling\w*|limit_(?:requests|burst_rate)|\w*overloaded\w*|capacity_exceeded|RESOURCE_EXHAUSTED|UNAVAILABLE|service_?unavailable|336501|336502|130[2345]|1312|429001|ModelArts\.81101|1002|1039|1000[678]|10110/i,
  },
  {
    meaning: 'capacity',
    status: [0, 500, 502],
    message: /overloaded|rate limit|too many requests|at capacity|server is busy/i,
  },
  { meaning: 'account', status: [401, 403, 407] },
  {
    meaning: 'account',
    code: /invalid_?api_?key|invalid_iam_token|invalid_appid|\w*authentication\w*|unauthorized|permission\w*|1004/i,
  },
  { meaning: 'model', status: [404] },
  { meaning: 'model', code: /model_?not_?(?:found|open|exist)\w*|invalid_model|InvalidEndpointOrModel\w*/i },
  {
    meaning: 'model',
    status: [0, 400, 422],
    message: /^model not exist|\bmodel\b.{0,80}\b(?:does not exist|not found|is not supported by)/i,
  },
  { meaning: 'timeout', status: [408, 504, 522, 524] },
  { meaning: 'too-large', status: [413] },
  { meaning: 'capacity', status: [429, 498, 503, 529] },
  { meaning: 'invalid', status: [400, 422] },
];

function matches(rule: Rule, status: number, { codes, message }: UpstreamError): boolean {
  if (rule.status && !rule.status.includes(status)) return false;
  const { code } = rule;
  if (code && !codes.some(word => code.exec(word)?.[0].length === word.length)) return false;
  return rule.message === undefined || rule.message.test(message.slice(0, 2000));
}

/** Wait where a busy upstream names none. */
const WAIT_MS = 1_000;
const SILENT: UpstreamError = { status: 0, codes: [], message: '', param: undefined };

/** A lone message is an error only because the status says so. */
function bare({ message }: JsonObject): UpstreamError {
  return typeof message === 'string' ? { ...SILENT, message } : SILENT;
}

/** An upstream's error answer as our fault. Its words go on only where the caller can act on them, and scrubbed. */
export function decodeFault(status: number, headers: Headers, body: Uint8Array, nowMs = Date.now()): Fault {
  const value = parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  const object = isObject(value) ? value : undefined;
  const told = (object && (findError(object) ?? bare(object))) ?? SILENT;
  // An error inside a 200 carries its own status, if any.
  return toFault(told, status >= 400 ? status : told.status, retryAfterMs(headers, nowMs));
}

/**
 * An error that came inside an accepted answer: a 200 with an error body, or an event of a running stream. There a bare
 * 400 or 422 can no longer be the caller's fault (TGI calls every failure of a running stream 422).
 */
export function decodeErrorInside(told: UpstreamError, phase: 'answer' | 'stream'): Fault {
  const status = phase === 'stream' && (told.status === 400 || told.status === 422) ? 500 : told.status;
  return toFault(told, status, undefined);
}

function toFault(told: UpstreamError, status: number, waitMs: number | undefined): Fault {
  const meaning = RULES.find(rule => matches(rule, status, told))?.meaning ?? 'failed';
  const codes = told.codes.filter(code => /^[\w.-]{1,64}$/.test(code)).join(', ');
  const internal = `upstream ${meaning}: status ${status}${codes === '' ? '' : `, ${codes}`}`;
  const words = scrub(told.message);
  switch (meaning) {
    case 'filter':
      return new Fault('invalid_parameter', {
        ...shown(words, 'The content was refused by the content filter of the model', '内容被模型的内容过滤器拒绝'),
        publicCode: publicCode(told) ?? 'content_filter',
        internal,
      });
    case 'invalid':
      return new Fault('invalid_parameter', {
        ...shown(words, 'The model refused the request', '模型拒绝了该请求'),
        ...parameter(told),
        internal,
      });
    case 'length':
      return new Fault('context_length_exceeded', {
        ...(words === '' ? {} : { message: words }),
        ...parameter(told),
        internal,
      });
    case 'too-large':
      return new Fault('payload_too_large', { internal });
    case 'capacity':
      return new Fault('capacity', { retryAfterMs: waitMs ?? WAIT_MS, internal });
    case 'timeout':
      return new Fault('upstream_timeout', { internal });
    // Not the caller's key, wallet or model name, but ours: to the caller the upstream failed. The words are for our log;
    // those of refused requests are not, since they may repeat the prompt.
    case 'account':
    case 'model':
    case 'failed':
      return new Fault('upstream_error', { internal: words === '' ? internal : `${internal}: ${words}` });
    default:
      return meaning satisfies never;
  }
}

function shown(words: string, en: string, zh: string): { message: string; messageZh?: string } {
  return words === '' ? { message: en, messageZh: zh } : { message: words };
}

function publicCode({ codes }: UpstreamError): string | undefined {
  return codes.find(
    code =>
      /^[A-Za-z][\w.-]{1,63}$/.test(code) &&
      !/^(?:invalid_request_error|BadRequest\w*|invalid_parameter\w*)$/i.test(code),
  );
}

function parameter({ param }: UpstreamError): { param?: string } {
  return param !== undefined && /^[\w.[\]-]{1,128}$/.test(param) ? { param } : {};
}
