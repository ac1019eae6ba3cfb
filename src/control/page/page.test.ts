import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { openTestPlane, type TestPlane } from '../../../test/support/control-plane.ts';
import { applyConfig } from '../apply/apply.ts';

let plane: TestPlane;
before(async () => {
  plane = await openTestPlane();
});
after(() => plane[Symbol.asyncDispose]());

async function page(headers: Readonly<Record<string, string>> = {}, query = '') {
  const answer = await plane.public.request(`http://localhost/${query}`, {
    headers: { host: 'localhost', ...headers },
  });
  return { answer, text: await answer.text() };
}

test('without a model it says how to get one', async () => {
  assert.match((await page()).text, /model add FILE\.gguf/);
});

test('the page speaks the language of its reader', async () => {
  await applyConfig(
    plane.deps,
    {
      providers: [{ id: 'p', baseUrl: 'https://api.example/v1', apiKey: 'sk-canary' }],
      models: [
        {
          id: 'a/model:1',
          contextTokens: 4096,
          prices: [{ currency: 'CNY', inputPerM: '1', outputPerM: '1' }],
          deployments: [{ id: 'd', provider: 'p' }],
        },
      ],
    },
    { dryRun: false },
  );
  const cases: readonly [headers: Readonly<Record<string, string>>, query: string, lang: 'en' | 'zh-CN'][] = [
    [{}, '', 'en'],
    [{ 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8' }, '', 'zh-CN'],
    [{ 'accept-language': 'en;q=0.4, zh-Hans;q=0.5' }, '', 'zh-CN'],
    [{ 'accept-language': 'de, fr' }, '', 'en'],
    [{ 'accept-language': 'zh' }, '?lang=en', 'en'],
    [{}, '?lang=zh', 'zh-CN'],
  ];
  for (const [headers, query, lang] of cases) {
    const { answer, text } = await page(headers, query);
    assert.equal(answer.status, 200);
    assert.match(text, new RegExp(`<html lang="${lang}">`), JSON.stringify(headers) + query);
    assert.match(text, lang === 'en' ? /Millrace is running/ : /Millrace 正在运行/);
    assert.match(text, /a\/model:1/);
    assert.match(text, lang === 'en' ? /4,096 tokens of context/ : /上下文 4,096 词元/);
  }
});

test('it shows the address that the reader used, and never a foreign text in its place', async () => {
  assert.match((await page({ host: '127.0.0.1:9123' })).text, /http:\/\/127\.0\.0\.1:9123\/v1/);
  assert.match((await page({ host: '[::1]:9123' })).text, /http:\/\/\[::1\]:9123\/v1/);
  assert.match((await page({ 'x-forwarded-proto': 'https' })).text, /https:\/\/localhost\/v1/);
  const headers = { host: '"><script>alert(1)</script>' };
  const text = await (await plane.owner.request('http://localhost/', { headers })).text();
  assert.doesNotMatch(text, /alert/);
});

test('nothing from elsewhere runs or loads, and no secret is shown', async () => {
  const { answer, text } = await page();
  const policy = answer.headers.get('content-security-policy') ?? '';
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[^ ]+'; script-src 'sha256-[^ ]+';/);
  for (const tag of ['style', 'script']) {
    const inline = [...text.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'gs'))];
    assert.equal(inline.length, 1);
    const hash = createHash('sha256').update(inline[0]?.[1] ?? '');
    assert.ok(policy.includes(`${tag}-src 'sha256-${hash.digest('base64')}'`), `${tag} matches its hash`);
  }
  assert.doesNotMatch(text, /<(script|link|img|iframe)[^>]+(src|href)=|\sstyle=|\son\w+=/);
  assert.doesNotMatch(text, /sk-canary/);
});

test('while it is not ready the page says why, and looks again', async () => {
  plane.deps.slots.node.set('storageFull', 1);
  const { text } = await page({ 'accept-language': 'zh' });
  plane.deps.slots.node.set('storageFull', 0);
  assert.match(text, /尚未就绪：磁盘已满/);
  assert.match(text, /<meta http-equiv="refresh"/);
  assert.doesNotMatch((await page()).text, /http-equiv="refresh"/);
});
