import { Fault, nearest } from '../../ground/std/index.ts';

const SERVED = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/models', '/v1/key'] as const;
/** What clients of this kind of API ask for, and we do not serve: with what does the same here, where something does. */
const ELSEWHERE: ReadonlyMap<string, string | undefined> = new Map([
  ['responses', '/v1/chat/completions'],
  ['messages', '/v1/chat/completions'],
  ['engines', '/v1/completions'],
  ...[
    ...['assistants', 'audio', 'batches', 'containers', 'conversations', 'evals', 'files', 'fine_tuning', 'images'],
    ...['moderations', 'organization', 'realtime', 'rerank', 'threads', 'uploads', 'vector_stores', 'videos'],
  ].map((name): [string, undefined] => [name, undefined]),
]);
const SHOWN_LENGTH_MAX = 128;

/** Says what is served instead: the same path written right, what does the same, or all there is. */
export function nothingAt(path: string): Fault {
  const shown = path.slice(0, SHOWN_LENGTH_MAX);
  const name = shown.split('/')[2] ?? '';
  const meant = meantBy(shown) ?? (ELSEWHERE.has(name) ? undefined : nearest(shown, SERVED));
  if (meant !== undefined)
    return new Fault('not_found', {
      message: `Nothing is served at ${shown}: the path is ${meant}, and the base URL of the model API ends in /v1, once`,
      messageZh: `${shown} 没有服务：正确路径是 ${meant}，模型 API 的基础地址以一个 /v1 结尾`,
    });
  if (!ELSEWHERE.has(name))
    return new Fault('not_found', {
      message: `Nothing is served at ${shown}; served are ${SERVED.join(', ')}`,
      messageZh: `此路径没有服务：${shown}；可用的有 ${SERVED.join('、')}`,
    });
  const instead = ELSEWHERE.get(name);
  return new Fault('not_found', {
    message: `/v1/${name} is not served here${instead === undefined ? `; served are ${SERVED.join(', ')}` : `: use ${instead}`}`,
    messageZh: `此处不提供 /v1/${name}${instead === undefined ? `；可用的有 ${SERVED.join('、')}` : `：请使用 ${instead}`}`,
  });
}

/** One that is served, but for slashes, case, or a second `/v1`. */
function meantBy(path: string): string | undefined {
  const parts = path
    .toLowerCase()
    .split('/')
    .filter(part => part !== '' && part !== 'v1');
  const plain = `/v1/${parts.join('/')}`;
  if (plain.startsWith('/v1/models/')) return '/v1/models/{model}';
  return SERVED.find(served => served === plain);
}
