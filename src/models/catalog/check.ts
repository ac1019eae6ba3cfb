import { MODEL_ID, SLUG } from '@millrace/contract';
import { invalid, type PriceInput, priceVersionOf } from '../../money/pricing/index.ts';
import type { DeploymentInput, ModelInput, ProviderInput, TimeoutsInput } from './input.ts';
import type { Model, Quirk } from './snapshot.ts';

/** The compiler sees to it that none is missing. */
const QUIRKS: readonly string[] = Object.keys({
  'drain-on-disconnect': true,
  'no-stream-options': true,
  'max-completion-tokens': true,
  'thinking-in-total': true,
} satisfies Record<Quirk, true>);
const OPERATIONS: Model['operations'] = ['chat', 'completions', 'embeddings'];
const TOKENS_MAX = 100_000_000;
const CONCURRENCY_MAX = 1_000_000;
const RANK_MAX = 1_000;
const SEQUENCES_MAX = 256;
const THREADS_MAX = 1_024;
const NAME_LENGTH_MAX = 200;
/** A day. */
const TIMEOUT_MS_MAX = 86_400_000;
/** What `Authorization: Bearer` carries as one word: a blank or a line break from a file would fail every request. */
const API_KEY = /^[\x21-\x7e]{1,8192}$/;

/** Shape and ranges of a provider. Throws Fault `config_invalid` with the path. */
export function checkProvider(input: ProviderInput): void {
  const path = `providers.${input.id.slice(0, 64)}`;
  checkSlug(path, input.id);
  const url = URL.parse(input.baseUrl);
  const plain = url && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!plain || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const shown = input.baseUrl.slice(0, 128);
    throw invalid(
      `${path}.baseUrl`,
      `"${shown}" is not an http(s) URL without user, query and fragment`,
      `“${shown}”不是有效的 http(s) 地址（不得包含用户名、查询或片段）`,
    );
  }
  if (input.apiKey !== undefined && !API_KEY.test(input.apiKey))
    throw invalid(
      `${path}.apiKey`,
      'the key holds characters that no HTTP header can carry, such as a line break',
      '密钥包含 HTTP 头不允许的字符（如换行）',
    );
  const unknown = input.quirks?.find(quirk => !QUIRKS.includes(quirk));
  if (unknown !== undefined)
    throw invalid(
      `${path}.quirks`,
      `there is no quirk ${unknown}; known are ${QUIRKS.join(', ')}`,
      `不存在 ${unknown}；可用的有 ${QUIRKS.join('、')}`,
    );
}

/** Shape and ranges of a model. Throws Fault `config_invalid` with the path. */
export function checkModel(input: ModelInput): void {
  const path = `models.${input.id.slice(0, 128)}`;
  if (!MODEL_ID.test(input.id)) throw invalid(path, 'not a model id', '不是有效的模型 ID');
  if (input.operations?.length === 0) throw invalid(`${path}.operations`, 'names no operation', '未指定任何操作');
  const unknown = input.operations?.find(operation => !OPERATIONS.includes(operation));
  if (unknown !== undefined)
    throw invalid(`${path}.operations`, `there is no operation ${unknown}`, `不存在操作 ${unknown}`);
  checkCount(`${path}.contextTokens`, input.contextTokens, TOKENS_MAX);
  checkCount(`${path}.maxOutputTokens`, input.maxOutputTokens, TOKENS_MAX);
  checkTimeouts(`${path}.timeouts`, input.timeouts);
  checkPrices(`${path}.prices`, input.prices);
  const seen = new Set<string>();
  for (const deployment of input.deployments) {
    const at = `${path}.deployments.${deployment.id.slice(0, 64)}`;
    if (seen.has(deployment.id)) throw invalid(at, 'the id stands twice', 'ID 重复');
    seen.add(deployment.id);
    checkDeployment(at, deployment);
  }
}

function checkDeployment(path: string, deployment: DeploymentInput): void {
  checkSlug(path, deployment.id);
  const { provider, engine, upstreamModel, priority } = deployment;
  if ((provider === undefined) === (engine === undefined))
    throw invalid(path, 'name either a provider or an engine', '必须且只能指定 provider 或 engine 之一');
  if (engine) {
    if (engine.file === '' || engine.file.includes('\0'))
      throw invalid(`${path}.engine.file`, 'names no file', '未指定文件');
    checkCount(`${path}.engine.contextTokens`, engine.contextTokens, TOKENS_MAX);
    checkCount(`${path}.engine.sequences`, engine.sequences, SEQUENCES_MAX);
    checkCount(`${path}.engine.threads`, engine.threads, THREADS_MAX);
  }
  if (upstreamModel !== undefined && (upstreamModel.length > NAME_LENGTH_MAX || !/^[^\p{Cc}]+$/u.test(upstreamModel)))
    throw invalid(
      `${path}.upstreamModel`,
      `is not a name of 1 to ${NAME_LENGTH_MAX} characters without control characters`,
      `不是合法的名称（1 到 ${NAME_LENGTH_MAX} 个字符，不含控制字符）`,
    );
  checkCount(`${path}.concurrency`, deployment.concurrency, CONCURRENCY_MAX);
  checkCount(`${path}.weight`, deployment.weight, RANK_MAX);
  // Unlike a weight, a priority may be 0: the first.
  if (priority !== 0) checkCount(`${path}.priority`, priority, RANK_MAX);
  checkTimeouts(`${path}.timeouts`, deployment.timeouts);
  checkPrices(`${path}.costs`, deployment.costs ?? []);
}

function checkTimeouts(path: string, timeouts: TimeoutsInput | undefined): void {
  if (!timeouts) return;
  const { connectMs, firstByteMs, answerMs, idleMs, totalMs } = timeouts;
  for (const [name, value] of Object.entries({ connectMs, firstByteMs, answerMs, idleMs, totalMs }))
    checkCount(`${path}.${name}`, value, TIMEOUT_MS_MAX);
}

/** Each price for itself, and that no two could be in force at one time. */
function checkPrices(path: string, prices: readonly PriceInput[]): void {
  const starts = new Set<string>();
  for (const [index, price] of prices.entries()) {
    const at = `${path}[${index}]`;
    const { currency, effectiveFromMs } = priceVersionOf(price, '', at).version;
    const start = `${currency} ${effectiveFromMs}`;
    if (starts.has(start))
      throw invalid(
        at,
        `is a second price in ${currency} from the same moment on: give it another effectiveFrom`,
        `与另一条 ${currency} 价格的生效时间相同：请设置不同的 effectiveFrom`,
      );
    starts.add(start);
  }
}

function checkSlug(path: string, id: string): void {
  if (SLUG.test(id)) return;
  throw invalid(
    path,
    'an id is made of a-z, 0-9, dot, dash and underscore',
    'ID 只能由 a-z、0-9、点、短横线和下划线组成',
  );
}

function checkCount(path: string, count: number | undefined, max: number): void {
  if (count === undefined || (Number.isInteger(count) && count >= 1 && count <= max)) return;
  throw invalid(path, `${count} is not a whole number from 1 to ${max}`, `${count} 不是 1 到 ${max} 之间的整数`);
}
