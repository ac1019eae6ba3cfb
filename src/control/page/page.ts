import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { Model } from '../../models/catalog/index.ts';
import type { ControlApp } from '../context.ts';
import type { ControlDeps } from '../deps.ts';
import type { Lang } from '../language.ts';
import { DEMONSTRATION, isDemonstration } from '../model-file.ts';
import { notReady } from '../resources/health.ts';
import { stateOf } from '../resources/models.ts';
import { PAGE_LOGO, PAGE_SCRIPT, PAGE_STYLE } from './page-style.ts';
import { PAGE_WORDS, type PageWords } from './page-words.ts';

const HOST = /^[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?$/;

/** `/`: what runs and how to call it, in the reader's language. Nothing from elsewhere, and no secret. */
export function pageRoutes(app: ControlApp, deps: ControlDeps): void {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = [
    "default-src 'none'",
    `style-src ${hash(PAGE_STYLE)}`,
    `script-src ${hash(PAGE_SCRIPT)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  app.get('/', c => {
    c.header('content-security-policy', policy);
    c.header('referrer-policy', 'no-referrer');
    c.header('vary', 'accept-language, host');
    c.header('cache-control', 'no-store');
    const scheme = c.req.header('x-forwarded-proto') === 'https' ? 'https' : 'http';
    const host = c.req.header('host') ?? '';
    const origin = `${scheme}://${HOST.test(host) ? host : '127.0.0.1:8080'}`;
    return c.html(renderPage(deps, { lang: c.get('lang'), origin }));
  });
}

export function renderPage(deps: ControlDeps, { lang, origin }: { readonly lang: Lang; readonly origin: string }) {
  const words = PAGE_WORDS[lang];
  const models = [...deps.catalog.snapshot().models.values()];
  const reasons = notReady(deps);
  const code = lang === 'zh' ? 'zh-CN' : 'en';
  const other = lang === 'zh' ? 'en' : 'zh';
  return html`<!doctype html>
<html lang="${code}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${words.title}</title>${reasons.length > 0 ? raw('<meta http-equiv="refresh" content="3">') : ''}
<style>${raw(PAGE_STYLE)}</style></head><body><main>
<nav><b>${raw(PAGE_LOGO)}Millrace</b><a href="?lang=${other}" hreflang="${other === 'zh' ? 'zh-CN' : 'en'}" lang="${other === 'zh' ? 'zh-CN' : 'en'}">${words.otherLang}</a></nav>
<h1>${words.title}</h1><p class="soft">${words.lead}</p>
<p class="state"><i class="dot${reasons.length > 0 ? ' wait' : ''}"></i><span>${reasons.length > 0 ? words.notReady(reasons) : words.ready}</span></p>
<h2>${words.models}</h2>${modelList(deps, { models, words, lang })}
<h2>${words.call}</h2>${steps({ words, origin, model: models[0]?.id ?? 'MODEL' })}
<h2>${words.after}</h2>
<dl class="card">${words.commands.map(([command, about]) => html`<div><dt>${command}</dt><dd>${about}</dd></div>`)}</dl>
<footer><span>${words.version} ${deps.version}</span><a href="/healthz">${words.health}</a><a href="/readyz">${words.readiness}</a><a href="/metrics">${words.metrics}</a><span>${words.docs}</span></footer>
</main><script>${raw(PAGE_SCRIPT)}</script></body></html>`;
}

function modelList(
  deps: ControlDeps,
  { models, words, lang }: { readonly models: readonly Model[]; readonly words: PageWords; readonly lang: Lang },
) {
  if (models.length === 0)
    return html`<p class="soft">${words.noModels}</p>${codeBlock('./millrace model add FILE.gguf --free', words)}`;
  const rows = models.map(model => {
    const { id, contextTokens, deployments } = model;
    const about = isDemonstration(deps.catalog, model) ? html` <small>${DEMONSTRATION[lang]}</small>` : '';
    const states = deployments.map(deployment => stateOf(deps, deployment).state);
    const state = states.includes('ready') ? 'ready' : (states[0] ?? 'resting');
    const context = contextTokens === undefined ? '' : words.tokens(new Intl.NumberFormat(lang).format(contextTokens));
    return html`<li><span><b>${id}</b>${about}</span><span>${context}<i class="dot${state === 'ready' ? '' : ' wait'}"></i>${words.states[state]}</span></li>`;
  });
  return html`<ul class="models card">${rows}</ul>`;
}

function steps({
  words,
  origin,
  model,
}: {
  readonly words: PageWords;
  readonly origin: string;
  readonly model: string;
}) {
  const [curl, python, js] = snippets({ base: `${origin}/v1`, model, question: words.question });
  const tab = (id: string, label: string, checked: boolean) =>
    html`<input type="radio" name="t" id="t-${id}"${checked ? raw(' checked') : ''}><label for="t-${id}">${label}</label>`;
  return html`<ol>
<li><div><p>${words.makeKey}</p>${codeBlock('./millrace key create --org default --project default', words)}</div></li>
<li><div><p>${words.setKey}</p>${codeBlock('export MILLRACE_KEY=mr_live_…', words)}</div></li>
<li><div><p>${words.thenCall}</p><div class="tabs">${tab('curl', 'curl', true)}${tab('python', 'Python', false)}${tab('js', 'JavaScript', false)}
${codeBlock(curl, words, 'p-curl')}${codeBlock(python, words, 'p-python')}${codeBlock(js, words, 'p-js')}</div></div></li></ol>`;
}

function codeBlock(code: string, { copy, copied }: PageWords, id?: string) {
  return html`<div class="code"${id === undefined ? '' : raw(` id="${id}"`)}><pre>${code}</pre><button type="button" hidden data-done="${copied}">${copy}</button></div>`;
}

function snippets({
  base,
  model,
  question,
}: {
  readonly base: string;
  readonly model: string;
  readonly question: string;
}): [curl: string, python: string, js: string] {
  return [
    `curl ${base}/chat/completions \\
  -H "Authorization: Bearer $MILLRACE_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "${model}",
    "messages": [{"role": "user", "content": "${question}"}]
  }'`,
    `# pip install openai
import os
from openai import OpenAI

client = OpenAI(
    base_url="${base}",
    api_key=os.environ["MILLRACE_KEY"],
)
answer = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "${question}"}],
)
print(answer.choices[0].message.content)`,
    `// npm install openai
import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: '${base}',
  apiKey: process.env.MILLRACE_KEY,
});
const answer = await client.chat.completions.create({
  model: '${model}',
  messages: [{ role: 'user', content: '${question}' }],
});
console.log(answer.choices[0].message.content);`,
  ];
}
