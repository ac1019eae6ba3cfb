import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '@millrace/contract';
import { checkProvider } from './check.ts';
import { KNOWN_PROVIDERS } from './data/providers.ts';
import { withKnownProviders } from './known-providers.ts';

test('every known provider is a provider, with its sources', () => {
  for (const [id, { baseUrl, quirks, sources, name }] of Object.entries(KNOWN_PROVIDERS)) {
    checkProvider({ id, dialect: 'openai-chat', baseUrl, quirks });
    assert.match(baseUrl, /^https:\/\/[^/]+(\/[^/]+)*$/, `${id}: paths are put after it`);
    assert.ok(name !== '' && sources.length > 0 && sources.every(source => URL.canParse(source)), id);
  }
});

test('an id and a key are enough for a known vendor, and what is said stands', () => {
  const config = configSchema.parse(
    withKnownProviders({
      providers: [
        { id: 'mistral', apiKey: 'k' },
        { id: 'openai', apiKey: 'k', quirks: [] },
        { id: 'deepseek', baseUrl: 'https://proxy.example/v1' },
      ],
    }),
  );
  assert.deepEqual(
    config.providers.map(({ baseUrl, quirks }) => [baseUrl, quirks]),
    [
      ['https://api.mistral.ai/v1', ['no-stream-options', 'drain-on-disconnect']],
      ['https://api.openai.com/v1', []],
      ['https://proxy.example/v1', []],
    ],
  );
});

test('what is no document, or names no known vendor, passes as it is', () => {
  for (const value of [
    undefined,
    null,
    'text',
    [],
    {},
    { providers: 3 },
    { providers: [null, 'x', { id: 7 }, { id: 'toString' }] },
  ])
    assert.deepEqual(withKnownProviders(value), value);
});
