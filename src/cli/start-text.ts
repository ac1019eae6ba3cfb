import { DEMONSTRATION, type Lang, type TryProject } from '../control/index.ts';

/** What is known when the server answers. */
export interface StartFacts {
  readonly url: string;
  readonly home: string;
  /** It is where it is unless told otherwise: a command in another shell finds it by itself. */
  readonly isUsualHome: boolean;
  readonly models: readonly { readonly id: string; readonly ready: boolean; readonly isDemonstration?: boolean }[];
  /** Made at the first start of a home only. */
  readonly firstKey: string | undefined;
  /** Where a key can be made. */
  readonly project: TryProject | undefined;
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
    tryNewKey: 'Try it, with a key that is made for an hour:',
    notYet: (model: string) => `${model} does not answer yet; \`./millrace model list\` says how far it is. Then:`,
    makeProject: 'Make a customer and a key:',
    topUp: 'No wallet has anything in it yet; top it up first:',
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
    tryNewKey: '试一试（会创建一个有效期一小时的密钥）：',
    notYet: (model: string) => `${model} 还不能回答，进度见 \`./millrace model list\`。就绪后：`,
    makeProject: '创建客户与密钥：',
    topUp: '钱包里还没有余额，请先充值：',
    noModel: '还没有模型：./millrace model add FILE.gguf --free，或 ./millrace apply -f millrace.yaml',
    open: '当前对网络开放且没有 TLS：请在前面加上带 TLS 的代理。',
    question: '47 + 38 等于多少？',
    stop: '按 Ctrl+C 停止，进行中的请求会先完成。',
  },
} as const;

/** What `serve` prints when it answers: the address, a request to copy, and how to stop it. All of it works as it stands. */
export function startText(facts: StartFacts, lang: Lang): string {
  const words = WORDS[lang];
  const { url, home, firstKey, isPublic } = facts;
  const lines = [`${words.running}${url}`, `${words.home} ${home}`, ''];
  if (firstKey !== undefined) lines.push(words.key, `  ${firstKey}`, '');
  lines.push(...tryLines(facts, lang), '');
  if (isPublic) lines.push(words.open, '');
  lines.push(words.stop);
  return lines.join('\n');
}

function tryLines({ url, models, firstKey, project, ...home }: StartFacts, lang: Lang): readonly string[] {
  const words = WORDS[lang];
  const command = commandOf(home);
  const model = models.find(({ ready }) => ready) ?? models[0];
  if (!model) return [words.noModel];
  if (firstKey === undefined && !project) return [words.makeProject, ...customerLines(command)];
  const lines: string[] = [];
  if (project?.hasMoney === false)
    lines.push(
      words.topUp,
      `  ${command} wallet credit --org ${project.organizationId} --currency CNY --amount 100`,
      '',
    );
  if (!model.ready) lines.push(words.notYet(model.id));
  // Keys are kept as hashes alone: none that was made before could be printed.
  else lines.push(firstKey === undefined ? words.tryNewKey : words.tryIt);
  const key =
    firstKey ??
    `$(${command} key create --org ${project?.organizationId} --project ${project?.id} --name try --expires 1h --quiet)`;
  const body = JSON.stringify({ model: model.id, messages: [{ role: 'user', content: words.question }] });
  return [
    ...lines,
    `  curl ${url}/v1/chat/completions \\`,
    `    -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\`,
    `    -d '${body}'`,
    ...(model.isDemonstration === true ? ['', `${model.id}${words.is}${DEMONSTRATION[lang]}`] : []),
  ];
}

/** The tool as it is typed in another shell, which may know nothing of this one's variables. */
function commandOf({ home, isUsualHome }: Pick<StartFacts, 'home' | 'isUsualHome'>): string {
  return isUsualHome ? './millrace' : `MILLRACE_HOME='${home.replaceAll("'", `'\\''`)}' ./millrace`;
}

function customerLines(command: string): readonly string[] {
  return [
    `  ${command} org create acme`,
    `  ${command} project create web --org acme`,
    `  ${command} wallet credit --org acme --currency CNY --amount 100`,
    `  ${command} key create --org acme --project web`,
  ];
}
