// The page at `/` in a real browser: both languages, light and dark, wide and narrow.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { CHROMIUM_ARGS, findChromium } from './support/chromium.ts';
import { newHome, startServer, type TestServer } from './support/server.ts';

const found = findChromium();
const skip = 'reason' in found && found.reason;
const { home, remove } = newHome();
let server: TestServer;
let browser: Browser;

before(async () => {
  if ('reason' in found) return;
  server = await startServer(home);
  browser = await chromium.launch({ executablePath: found.path, args: [...CHROMIUM_ARGS] });
});
after(async () => {
  await browser?.close();
  await server?.signal('SIGKILL');
  remove();
});

interface View {
  readonly locale?: string;
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
  readonly path?: string;
}

/** Opens the page; whatever the browser complains of, and every address it asks, is at fault unless it is the server's. */
async function look(
  { locale = 'en-GB', colorScheme = 'light', width = 1280, path = '/' }: View,
  see: (page: Page) => Promise<void>,
) {
  const context = await browser.newContext({
    locale,
    colorScheme,
    viewport: { width, height: 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on('console', message => wrong.push(message.text()));
  page.on('pageerror', error => wrong.push(error.message));
  page.on('request', request => {
    if (!request.url().startsWith(`${server.url}/`)) wrong.push(request.url());
  });
  const answer = await page.goto(server.url + path);
  assert.equal(answer?.status(), 200);
  assert.match(answer.headers()['content-security-policy'] ?? '', /^default-src 'none'; /);
  await see(page);
  assert.deepEqual(wrong, []);
  await context.close();
}

const LANGUAGES = [
  {
    locale: 'en-GB',
    lang: 'en',
    title: 'Millrace is running',
    ready: 'Ready',
    other: '中文',
    question: 'What is 47 + 38?',
  },
  {
    locale: 'zh-CN',
    lang: 'zh-CN',
    title: 'Millrace 正在运行',
    ready: '已就绪',
    other: 'English',
    question: '47 + 38 等于多少？',
  },
] as const;

for (const { locale, lang, title, ready, other, question } of LANGUAGES)
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [1280, 360])
      test(`${locale}, ${colorScheme}, ${width} pixels wide`, { skip }, async () => {
        await look({ locale, colorScheme, width }, async page => {
          assert.equal(await page.title(), title);
          assert.equal(await page.getAttribute('html', 'lang'), lang);
          assert.equal(await page.innerText('h1'), title);
          assert.equal(await page.innerText('.state'), ready);
          assert.equal(await page.innerText('nav a'), other);
          assert.match(await page.innerText('.models'), /millrace-nano/);
          const curl = await page.innerText('#p-curl pre');
          assert.ok(curl.startsWith(`curl ${server.url}/v1/chat/completions \\\n`));
          assert.ok(curl.includes('"model": "millrace-nano"') && curl.includes(question));
          const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
          assert.equal(await page.evaluate(overflow), 0, 'it does not scroll sideways');
          for (const code of await page.locator('.code:visible').all()) {
            const [text, button] = [
              await code.locator('pre').boundingBox(),
              await code.locator('button').boundingBox(),
            ];
            assert.ok(text && button && text.x + text.width <= button.x, 'no button lies on what it copies');
          }
          const paper = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
          const [red = 0] = paper.match(/\d+/g)?.map(Number) ?? [];
          assert.equal(red > 128, colorScheme === 'light', paper);
        });
      });

test('a language that is chosen by hand stays chosen', { skip }, () =>
  look({ locale: 'en-GB' }, async page => {
    await page.click('nav a');
    assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
    await page.click('nav a');
    assert.equal(await page.getAttribute('html', 'lang'), 'en');
  }),
);

test('tabs show one client each, and what is copied is what is shown', { skip }, () =>
  look({}, async page => {
    const copied = async (of: string) => {
      await page.click(`${of} button`);
      return page.evaluate<string>('navigator.clipboard.readText()');
    };
    for (const [tab, start] of [
      ['python', '# pip install openai'],
      ['js', '// npm install openai'],
      ['curl', 'curl '],
    ] as const) {
      await page.click(`label[for=t-${tab}]`);
      for (const other of ['python', 'js', 'curl'])
        assert.equal(await page.isVisible(`#p-${other}`), other === tab, `${other} beside ${tab}`);
      const shown = await page.innerText(`#p-${tab} pre`);
      assert.ok(shown.startsWith(start));
      assert.equal(await copied(`#p-${tab}`), shown);
    }
    assert.equal(await copied('ol li:first-child'), './millrace key create --org default --project default');
  }),
);

for (const { locale } of LANGUAGES)
  test(`what it says to run in JavaScript runs: ${locale}`, { skip }, () =>
    look({ locale }, async page => {
      const code = await page.locator('#p-js pre').textContent();
      const child = spawn(process.execPath, ['--input-type=module', '--eval', code ?? ''], {
        env: { ...process.env, MILLRACE_KEY: server.firstKey ?? '' },
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      assert.match(await text(child.stdout), /\b85\b/);
    }),
  );

test('its links lead to answers', { skip }, () =>
  look({}, async page => {
    const links = await page.locator('footer a').all();
    assert.equal(links.length, 3);
    for (const link of links) {
      const address = await link.getAttribute('href');
      assert.equal((await page.request.get(server.url + address)).status(), 200, address ?? '');
    }
  }),
);
