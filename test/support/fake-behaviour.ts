import { gzipSync } from 'node:zlib';
import { type Said, type Speech, said } from './fake-said.ts';

export type UsageReport =
  | 'normal'
  | 'absent'
  | 'negative'
  | 'huge'
  | 'overflow'
  | 'nan'
  | 'float'
  | 'string'
  | 'twice'
  | 'decreasing';

/** How the fake provider answers one model. Everything is optional; `{}` is an honest provider with 8 tokens. */
export interface Behaviour extends Speech {
  /** Output tokens it would make; `max_tokens` cuts them unless `ignoreMaxTokens`. */
  readonly tokens?: number;
  /** Text of the tokens in turn, in place of ` token0`, ` token1` …; without characters that JSON escapes. */
  readonly texts?: readonly string[];
  readonly intervalMs?: number;
  readonly promptTokens?: number;
  readonly cachedTokens?: number;
  readonly ignoreMaxTokens?: boolean;
  readonly usage?: UsageReport;
  /** Reports usage also before the first token, in a chunk of its own. */
  readonly usageFirst?: boolean;
  /** How the end of the body is said: by chunks (what streams do), by a length (what other answers do), or by closing. */
  readonly framing?: 'chunked' | 'length' | 'close';
  /** Sends the next step only when it is told to, by `release`. */
  readonly stepwise?: boolean;
  /** Leaves out the last `[DONE]`. */
  readonly noDone?: boolean;
  /** Other than 200: an error answer. */
  readonly status?: number;
  readonly retryAfter?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Says in `x-request-id` which call it is: `fake-` and its `seq`. */
  readonly namesCalls?: boolean;
  /** 200 with an error object as its body (or as the only event). */
  readonly errorInBody?: boolean;
  /** An error event after that many tokens, and then the end. */
  readonly errorAfterTokens?: number;
  /** Says exactly this, whatever was asked. */
  readonly script?: Script;
  /** Before the first byte of the head. */
  readonly headersDelayMs?: number;
  /** Dies when that many bytes of the whole answer, head included, have been sent. */
  readonly dieAt?: { readonly byte: number; readonly how: 'fin' | 'rst' | 'stall' };
  /** One byte per so many ms. */
  readonly dripMs?: number;
  /** Compresses though nobody asked; `bomb`: 64 MiB of spaces in 64 KiB. */
  readonly gzip?: 'honest' | 'bomb' | 'broken';
  /** Added to the true `content-length` of a JSON answer. */
  readonly contentLengthOff?: number;
  readonly closes?: boolean;
  /** Goes on making (and billing) tokens when the client has gone. */
  readonly billsAfterAbort?: boolean;
  /** Keeps the body of each call, to compare what came with what was sent. */
  readonly keepsBody?: boolean;
}

export interface Asked {
  readonly path: string;
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly maxTokens: number | undefined;
  readonly promptTokens: number;
  /** `n`: choices of a streamed answer. */
  readonly choices: number;
}

/** A piece of the answer, sent `waitMs` after the one before it; `tokens` are billed when it goes out. */
export interface Step {
  readonly bytes: Buffer;
  readonly waitMs: number;
  readonly tokens: number;
}

export interface Answer {
  readonly status: number;
  readonly steps: readonly Step[];
  readonly completionTokens: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/** What a vendor was seen to say. */
export interface Script {
  /** A whole answer. */
  readonly json?: unknown;
  /** One event each, then `[DONE]`; or what goes out as it is; or a silence. */
  readonly events?: readonly (object | { readonly raw: string } | { readonly wait: number })[];
}

const CREATED = 1_763_900_000;

/** All bytes of an answer, before anything goes wrong with their delivery. */
export function planAnswer(asked: Asked, behaviour: Behaviour): Answer {
  const speech = asked.path.endsWith('/chat/completions') ? said(behaviour) : undefined;
  const wanted = speech?.deltas.length ?? behaviour.tokens ?? 8;
  const completionTokens = asked.path.endsWith('/embeddings')
    ? 0
    : behaviour.ignoreMaxTokens
      ? wanted
      : Math.min(wanted, asked.maxTokens ?? wanted);
  const promptTokens = behaviour.promptTokens ?? asked.promptTokens;
  const counted = { completionTokens, promptTokens, cachedTokens: behaviour.cachedTokens ?? 0 };
  const planned = { ...counted, speech };
  const status = behaviour.status ?? 200;
  if (behaviour.script) return { status, steps: scriptSteps(behaviour.script, behaviour, status), ...counted };
  if (status !== 200) {
    const body = errorText(
      `the fake provider answers ${status}`,
      status === 429 ? 'rate_limit_exceeded' : 'server_error',
    );
    return { status, steps: jsonSteps(status, body, { behaviour, tokens: 0 }), ...counted, completionTokens: 0 };
  }
  const steps = asked.stream ? streamSteps(asked, behaviour, planned) : wholeSteps(asked, behaviour, planned);
  return { status, steps, ...counted };
}

function scriptSteps({ json, events = [] }: Script, behaviour: Behaviour, status: number): Step[] {
  if (json !== undefined) return jsonSteps(status, JSON.stringify(json), { behaviour, tokens: 0 });
  const steps: Step[] = [];
  let waitMs = 0;
  for (const event of [...events, '[DONE]']) {
    if (typeof event === 'object' && 'wait' in event) {
      waitMs += Number(event.wait);
      continue;
    }
    const raw = typeof event === 'object' && 'raw' in event ? String(event.raw) : undefined;
    const text = typeof event === 'string' ? event : JSON.stringify(event);
    steps.push({ bytes: Buffer.from(raw ?? `data: ${text}\n\n`), waitMs, tokens: 0 });
    waitMs = 0;
  }
  const headers = { 'content-type': 'text/event-stream; charset=utf-8' };
  return framed(headText(status, headers, behaviour), steps, behaviour.framing);
}

interface Counted {
  readonly completionTokens: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

interface Planned extends Counted {
  readonly speech: Said | undefined;
}

function wholeSteps(asked: Asked, behaviour: Behaviour, counted: Planned): Step[] {
  const text = Array.from({ length: counted.completionTokens }, (_, index) => textOf(behaviour, index)).join('');
  const [usage = 'null'] = usageTexts(behaviour.usage ?? 'normal', counted);
  const base = `"created":${CREATED},"model":${JSON.stringify(asked.model)}`;
  let body: string;
  if (behaviour.errorInBody) body = errorText('the fake provider fails with 200', 'server_error');
  else if (asked.path.endsWith('/embeddings'))
    body = `{"object":"list","model":${JSON.stringify(asked.model)},"data":[{"object":"embedding","index":0,"embedding":[0.1,-0.2,0.3,0.4]}],"usage":${usage}}`;
  else {
    const finish = finishReason(asked, counted);
    const choice = asked.path.endsWith('/chat/completions')
      ? `{"index":0,"message":${counted.speech?.message ?? `{"role":"assistant","content":${JSON.stringify(text)},"refusal":null}`},"logprobs":null,"finish_reason":"${finish}"}`
      : `{"index":0,"text":${JSON.stringify(text)},"logprobs":null,"finish_reason":"${finish}"}`;
    body = `{"id":"chatcmpl-fake","object":"chat.completion",${base},"choices":[${choice}]${behaviour.usage === 'absent' ? '' : `,"usage":${usage}`}}`;
  }
  return jsonSteps(200, body, { behaviour, tokens: counted.completionTokens });
}

function streamSteps(asked: Asked, behaviour: Behaviour, counted: Planned): Step[] {
  const interval = behaviour.intervalMs ?? 0;
  const base = `"id":"chatcmpl-fake","object":"chat.completion.chunk","created":${CREATED},"model":${JSON.stringify(asked.model)}`;
  const chat = asked.path.endsWith('/chat/completions');
  const piece = (
    choice: number,
    content: string,
    finish: string,
    delta = content === '' ? '{}' : `{"content":"${content}"}`,
  ) =>
    chat
      ? `{${base},"choices":[{"index":${choice},"delta":${delta},"logprobs":null,"finish_reason":${finish}}]}`
      : `{${base},"choices":[{"index":${choice},"text":"${content}","logprobs":null,"finish_reason":${finish}}]}`;
  const choices = Array.from({ length: asked.choices }, (_, choice) => choice);
  const usages = () =>
    usageTexts(behaviour.usage ?? 'normal', {
      ...counted,
      completionTokens: counted.completionTokens * asked.choices,
    }).map(usage => ({ data: `{${base},"choices":[],"usage":${usage}}`, tokens: 0 }));
  const events: { readonly data: string; readonly tokens: number }[] = [];
  const last = Math.min(counted.completionTokens, behaviour.errorAfterTokens ?? Number.POSITIVE_INFINITY);
  if (behaviour.errorInBody)
    events.push({ data: errorText('the fake provider fails at once', 'server_error'), tokens: 0 });
  else {
    if (behaviour.usageFirst) events.push(...usages());
    for (let index = 0; index < last; index += 1)
      for (const choice of choices)
        events.push({
          data: piece(choice, textOf(behaviour, index), 'null', counted.speech?.deltas[index]),
          tokens: 1,
        });
    if (behaviour.errorAfterTokens === undefined) {
      for (const choice of choices)
        events.push({ data: piece(choice, '', `"${finishReason(asked, counted)}"`), tokens: 0 });
      if (asked.includeUsage) events.push(...usages());
      if (!behaviour.noDone) events.push({ data: '[DONE]', tokens: 0 });
    } else events.push({ data: errorText('the fake provider fails in the middle', 'server_error'), tokens: 0 });
  }
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
  if (behaviour.gzip) {
    const whole = compress(Buffer.from(events.map(event => `data: ${event.data}\n\n`).join('')), behaviour.gzip);
    const tokens = events.reduce((sum, event) => sum + event.tokens, 0);
    return framed(headText(200, headers, behaviour), [{ bytes: whole, waitMs: interval, tokens }], behaviour.framing);
  }
  return framed(
    headText(200, headers, behaviour),
    events.map(({ data, tokens }) => ({ bytes: Buffer.from(`data: ${data}\n\n`), waitMs: interval, tokens })),
    behaviour.framing,
  );
}

function textOf({ texts }: Behaviour, index: number): string {
  return texts === undefined ? ` token${index}` : (texts[index % texts.length] ?? '');
}

/** Head and body as they go over the wire. */
function framed(head: string, body: readonly Step[], framing: Behaviour['framing'] = 'chunked'): Step[] {
  const first = (more: string) => ({ bytes: Buffer.from(`${head}${more}\r\n`), waitMs: 0, tokens: 0 });
  if (framing === 'close') return [first('connection: close\r\n'), ...body];
  if (framing === 'length') {
    const length = body.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return [first(`content-length: ${length}\r\n`), ...body];
  }
  const chunks = body.map(step => ({ ...step, bytes: chunk(step.bytes) }));
  return [first('transfer-encoding: chunked\r\n'), ...chunks, { bytes: END, waitMs: 0, tokens: 0 }];
}

const END = Buffer.from('0\r\n\r\n');

function chunk(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${payload.length.toString(16)}\r\n`), payload, Buffer.from('\r\n')]);
}

function jsonSteps(
  status: number,
  body: string,
  { behaviour, tokens }: { readonly behaviour: Behaviour; readonly tokens: number },
): Step[] {
  const payload = behaviour.gzip ? compress(Buffer.from(body), behaviour.gzip) : Buffer.from(body);
  const head = headText(status, { 'content-type': 'application/json' }, behaviour);
  const waitMs = behaviour.intervalMs ?? 0;
  if (behaviour.framing !== undefined && behaviour.framing !== 'length')
    return framed(head, [{ bytes: payload, waitMs, tokens }], behaviour.framing);
  const length = `content-length: ${payload.length + (behaviour.contentLengthOff ?? 0)}\r\n\r\n`;
  return [{ bytes: Buffer.concat([Buffer.from(head + length), payload]), waitMs, tokens }];
}

function headText(status: number, headers: Readonly<Record<string, string>>, behaviour: Behaviour): string {
  const all = {
    ...headers,
    ...(behaviour.retryAfter === undefined ? {} : { 'retry-after': behaviour.retryAfter }),
    ...(behaviour.gzip ? { 'content-encoding': 'gzip' } : {}),
    ...(behaviour.closes ? { connection: 'close' } : {}),
    ...behaviour.headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Fake\r\n${lines.join('')}`;
}

function compress(bytes: Buffer, how: 'honest' | 'bomb' | 'broken'): Buffer {
  if (how === 'bomb') return gzipSync(Buffer.alloc(64 * 1_048_576, 0x20));
  const packed = gzipSync(bytes);
  return how === 'honest' ? packed : packed.subarray(0, packed.length - 12);
}

function finishReason(asked: Asked, counted: Planned): 'stop' | 'length' | 'tool_calls' {
  return asked.maxTokens !== undefined && counted.completionTokens >= asked.maxTokens
    ? 'length'
    : (counted.speech?.finish ?? 'stop');
}

function errorText(message: string, type: string): string {
  return `{"error":{"message":${JSON.stringify(message)},"type":"${type}","param":null,"code":"${type}"}}`;
}

/** Reports as JSON text, so that they may hold what no number can. */
function usageTexts(report: UsageReport, { promptTokens, completionTokens, cachedTokens }: Counted): string[] {
  const text = (prompt: number | string, completion: number | string) =>
    `{"prompt_tokens":${prompt},"completion_tokens":${completion},"total_tokens":${promptTokens + completionTokens},"prompt_tokens_details":{"cached_tokens":${cachedTokens}}}`;
  const honest = text(promptTokens, completionTokens);
  const reports: Record<UsageReport, string[]> = {
    normal: [honest],
    absent: [],
    negative: [text(promptTokens, -completionTokens - 5)],
    huge: [text(promptTokens, '9007199254740993000')],
    overflow: [text('1e400', completionTokens)],
    nan: [text(promptTokens, 'NaN')],
    float: [text(promptTokens, completionTokens + 0.5)],
    string: [text(`"${promptTokens}"`, `"${completionTokens}"`)],
    twice: [honest, honest],
    decreasing: [honest, text(promptTokens, Math.max(0, completionTokens - 3))],
  };
  return reports[report];
}
