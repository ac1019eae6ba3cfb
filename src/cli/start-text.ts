import { DEMONSTRATION, type Lang } from '../control/index.ts';

/** What is known when the server answers. */
export interface StartFacts {
  readonly url: string;
  readonly home: string;
  readonly models: readonly { readonly id: string; readonly ready: boolean; readonly isDemonstration: boolean }[];
  /** Made at the first start of a home only. */
  readonly firstKey: string | undefined;
  /** Where a key can be made. */
  readonly project: { readonly organizationId: string; readonly id: string } | undefined;
  /** It listens on the network, not on this machine alone. */
  readonly isPublic: boolean;
}

const WORDS = {
  en: {
    running: 'Millrace is running: ',
    home: 'Data is kept in',
    key: 'Your key (shown this once):',
    is: ' is ',
    tryIt: 'Try it:',
    makeKey: 'Make a key:',
    noModel: 'There is no model yet: ./millrace model add FILE.gguf --free, or ./millrace apply -f millrace.yaml',
    open: 'It listens on the network without TLS: put a proxy with TLS in front of it.',
    question: 'What is 47 + 38?',
    stop: 'Ctrl+C stops it, after running requests.',
  },
  zh: {
    running: 'Millrace 已启动：',
    home: '数据保存在',
    key: '你的密钥（只显示这一次）：',
    is: ' 是 ',
    tryIt: '试一试：',
    makeKey: '创建密钥：',
    noModel: '还没有模型：./millrace model add FILE.gguf --free，或 ./millrace apply -f millrace.yaml',
    open: '当前对网络开放且没有 TLS：请在前面加上带 TLS 的代理。',
    question: '47 + 38 等于多少？',
    stop: '按 Ctrl+C 停止，进行中的请求会先完成。',
  },
} as const;

/** What `serve` prints when it answers: the address, a request to copy, and how to stop it. All of it works as it stands. */
export function startText({ url, home, models, firstKey, project, isPublic }: StartFacts, lang: Lang): string {
  const words = WORDS[lang];
  const lines = [`${words.running}${url}`, `${words.home} ${home}`, ''];
  if (models.length === 0) lines.push(words.noModel, '');
  else if (firstKey !== undefined) lines.push(words.key, `  ${firstKey}`, '');
  else lines.push(words.makeKey, ...keyLines(project), '');
  const model = models.find(({ ready }) => ready);
  if (model) {
    const body = JSON.stringify({ model: model.id, messages: [{ role: 'user', content: words.question }] });
    lines.push(
      words.tryIt,
      `  curl ${url}/v1/chat/completions \\`,
      `    -H "Authorization: Bearer ${firstKey ?? '$MILLRACE_KEY'}" -H "Content-Type: application/json" \\`,
      `    -d '${body}'`,
      '',
    );
    if (model.isDemonstration) lines.push(`${model.id}${words.is}${DEMONSTRATION[lang]}`, '');
  }
  if (isPublic) lines.push(words.open, '');
  lines.push(words.stop);
  return lines.join('\n');
}

function keyLines(project: StartFacts['project']): readonly string[] {
  if (project) return [`  ./millrace key create --org ${project.organizationId} --project ${project.id}`];
  return [
    '  ./millrace org create acme',
    '  ./millrace project create web --org acme',
    '  ./millrace wallet credit --org acme --currency CNY --amount 100',
    '  ./millrace key create --org acme --project web',
  ];
}
