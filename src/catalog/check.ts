import { MODEL_ID, SLUG } from '@millrace/contract';
import type { ModelInput, ProviderInput } from './input.ts';
import { invalid, priceVersionOf } from './price-version.ts';
import type { Model, Quirk } from './snapshot.ts';

const QUIRKS: readonly Quirk[] = ['drain-on-disconnect', 'no-stream-options', 'max-completion-tokens'];
const OPERATIONS: Model['operations'] = ['chat', 'completions', 'embeddings'];
const COUNT_MAX = 100_000_000;

/** Shape and ranges of a provider. Throws Fault `config_invalid` with the path. */
export function checkProvider(input: ProviderInput): void {
  const path = `providers.${input.id}`;
  if (!SLUG.test(input.id))
    throw invalid(
      path,
      'an id is made of a-z, 0-9, dot, dash and underscore',
      'ID 只能由 a-z、0-9、点、短横线和下划线组成',
    );
  const url = URL.parse(input.baseUrl);
  if (
    !url ||
    (url.protocol !== 'http:' && url.protocol !== 'https:') ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw invalid(
      `${path}.baseUrl`,
      `"${input.baseUrl.slice(0, 128)}" is not an http(s) URL without user, query and fragment`,
      `“${input.baseUrl.slice(0, 128)}”不是有效的 http(s) 地址（不得包含用户名、查询或片段）`,
    );
  }
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
  const path = `models.${input.id}`;
  if (!MODEL_ID.test(input.id)) throw invalid(path, 'not a model id', '不是有效的模型 ID');
  const unknown = input.operations?.find(operation => !OPERATIONS.includes(operation));
  if (unknown !== undefined)
    throw invalid(`${path}.operations`, `there is no operation ${unknown}`, `不存在操作 ${unknown}`);
  checkCount(`${path}.contextTokens`, input.contextTokens);
  checkCount(`${path}.maxOutputTokens`, input.maxOutputTokens);
  for (const [index, price] of input.prices.entries()) priceVersionOf(price, input.id, `${path}.prices[${index}]`);
  const seen = new Set<string>();
  for (const deployment of input.deployments) {
    const at = `${path}.deployments.${deployment.id}`;
    if (!SLUG.test(deployment.id))
      throw invalid(
        at,
        'an id is made of a-z, 0-9, dot, dash and underscore',
        'ID 只能由 a-z、0-9、点、短横线和下划线组成',
      );
    if (seen.has(deployment.id)) throw invalid(at, 'the id stands twice', 'ID 重复');
    seen.add(deployment.id);
    if ((deployment.provider === undefined) === (deployment.engine === undefined))
      throw invalid(at, 'name either a provider or an engine', '必须且只能指定 provider 或 engine 之一');
    checkCount(`${at}.concurrency`, deployment.concurrency);
    checkCount(`${at}.weight`, deployment.weight);
    for (const [index, cost] of (deployment.costs ?? []).entries())
      priceVersionOf(cost, deployment.id, `${at}.costs[${index}]`);
  }
}

function checkCount(path: string, count: number | undefined): void {
  if (count !== undefined && (!Number.isInteger(count) || count < 1 || count > COUNT_MAX))
    throw invalid(
      path,
      `${count} is not a whole number from 1 to ${COUNT_MAX}`,
      `${count} 不是 1 到 ${COUNT_MAX} 之间的整数`,
    );
}
