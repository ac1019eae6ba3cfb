import type { ControlDeps } from './deps.ts';

const WORDS = {
  en: {
    title: 'Millrace is running',
    lead: 'One API, one router, one bill.',
    models: 'Models',
    ready: 'ready',
    loading: 'loading',
    none: 'No model yet: ./millrace model add FILE.gguf, or apply a configuration.',
    call: 'Call it',
    key: 'Make a key:',
    python: 'With Python',
    js: 'With JavaScript',
    more: 'Health',
    other: '中文',
    question: 'What is 47 + 38?',
    version: 'Version',
  },
  zh: {
    title: 'Millrace 正在运行',
    lead: '一个 API，一个路由，一张账单。',
    models: '模型',
    ready: '就绪',
    loading: '加载中',
    none: '还没有模型：使用 ./millrace model add FILE.gguf，或应用一份配置。',
    call: '调用方法',
    key: '创建密钥：',
    python: '使用 Python',
    js: '使用 JavaScript',
    more: '运行状况',
    other: 'English',
    question: '47 + 38 等于多少？',
    version: '版本',
  },
} as const;

const STYLE = `:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--paper:#fbfcfd;--card:#fff;--accent:#0b6e6e}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#98a4b3;--line:#2b333d;--paper:#12161b;--card:#181d24;--accent:#4fc3c3}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:44rem;margin:0 auto;padding:3rem 1.25rem 4rem}header{display:flex;justify-content:space-between;align-items:baseline;gap:1rem}h1{font-size:1.7rem;margin:0}h2{font-size:1.05rem;margin:2.2rem 0 .6rem}
p{margin:.3rem 0}.soft,footer{color:var(--soft)}a{color:var(--accent)}ul{list-style:none;padding:0;margin:0;border:1px solid var(--line);border-radius:10px;background:var(--card)}
li{display:flex;justify-content:space-between;gap:1rem;padding:.55rem .9rem;border-top:1px solid var(--line)}li:first-child{border-top:0}li b{font-weight:600;overflow-wrap:anywhere}
.on{color:var(--accent)}pre{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.8rem .9rem;overflow-x:auto;font:13.5px/1.55 ui-monospace,Consolas,monospace;margin:.4rem 0}
footer{margin-top:2.5rem;font-size:.9rem;display:flex;gap:1.2rem;flex-wrap:wrap}`;

/** The page at `/`: what runs and how to call it, in the reader's language. No script, nothing from elsewhere, no secret. */
export function renderPage(
  { catalog, slots, version }: ControlDeps,
  { lang, host }: { readonly lang: 'en' | 'zh'; readonly host: string },
): string {
  const words = WORDS[lang];
  const base = `http://${/^[A-Za-z0-9.:[\]-]{1,255}$/.test(host) ? host : '127.0.0.1:8080'}/v1`;
  const models = [...catalog.snapshot().models.values()];
  const model = models[0]?.id ?? 'MODEL';
  const rows = models.map(({ id, deployments }) => {
    const ready = deployments.some(({ embedded, slot }) => !embedded || slots.deployments.get(slot, 'ready') === 1);
    return `<li><b>${escape(id)}</b><span class="${ready ? 'on' : 'soft'}">${ready ? words.ready : words.loading}</span></li>`;
  });
  const curl = `curl ${base}/chat/completions \\\n  -H "authorization: Bearer $MILLRACE_KEY" -H "content-type: application/json" \\\n  -d '{"model":"${model}","messages":[{"role":"user","content":"${words.question}"}]}'`;
  const python = `from openai import OpenAI\nclient = OpenAI(base_url="${base}", api_key="$MILLRACE_KEY")\nanswer = client.chat.completions.create(\n    model="${model}", messages=[{"role": "user", "content": "${words.question}"}])\nprint(answer.choices[0].message.content)`;
  const js = `import OpenAI from 'openai';\nconst client = new OpenAI({ baseURL: '${base}', apiKey: process.env.MILLRACE_KEY });\nconst answer = await client.chat.completions.create({\n  model: '${model}', messages: [{ role: 'user', content: '${words.question}' }] });\nconsole.log(answer.choices[0].message.content);`;
  return `<!doctype html><html lang="${lang === 'zh' ? 'zh-CN' : 'en'}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${words.title}</title><style>${STYLE}</style></head><body><main>
<header><h1>${words.title}</h1><a href="?lang=${lang === 'zh' ? 'en' : 'zh'}" hreflang="${lang === 'zh' ? 'en' : 'zh-CN'}">${words.other}</a></header><p class="soft">${words.lead}</p>
<h2>${words.models}</h2>${rows.length > 0 ? `<ul>${rows.join('')}</ul>` : `<p class="soft">${escape(words.none)}</p>`}
<h2>${words.call}</h2><p class="soft">${words.key}</p><pre>./millrace key create --org default --project default</pre><pre>${escape(curl)}</pre>
<h2>${words.python}</h2><pre>${escape(python)}</pre><h2>${words.js}</h2><pre>${escape(js)}</pre>
<footer><span>${words.version} ${escape(version)}</span><a href="/readyz">${words.more}</a></footer></main></body></html>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
