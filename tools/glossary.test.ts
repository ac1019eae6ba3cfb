import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { GLOSSARY, otherWords, readSpeech } from './glossary.ts';

const root = resolve(import.meta.dirname, '..');

test('each thing has one Chinese word, in sources and pages alike', () => {
  const speech = readSpeech(root);
  for (const path of ['README.zh.md', 'docs/zh/nodes.md', 'src/cli/commands/keys.ts', 'contract/src/faults.ts'])
    assert.ok(
      speech.some(one => one.path === path),
      path,
    );
  assert.deepEqual(otherWords(speech), []);
});

test('a synonym is found wherever it stands, and what is typed is none', () => {
  const found = (path: string, text: string) => otherWords([{ path, text }]);
  const planted = [
    '每分钟令牌数',
    '撤销密钥',
    '你的秘钥',
    '其他厂商',
    '布署',
    '帐单',
    '预扣金额',
    '您的配额',
    '有 5 个 token',
  ];
  for (const text of planted) assert.equal(found('src/x.ts', `zh: '${text}',\n`).length, 1, text);
  assert.deepEqual(found('docs/zh/x.md', '一\n二：提供商\n'), ['docs/zh/x.md:2: 提供商: say 供应商 (provider)']);
  const fine = ['每个词元', '`max_tokens` 过大', '上限为 max_tokens', '每秒 2,120 token/s', '吊销密钥', 'token `令牌`'];
  for (const text of fine) assert.deepEqual(found('docs/zh/x.md', `${text}\n`), [], text);
  assert.ok(GLOSSARY.every(([, word]) => word !== ''));
});
