import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANSWER_LENGTHS } from './data/answer-lengths.ts';
import { KNOWN_PROVIDERS } from './data/providers.ts';
import { longestAnswerOf } from './known-models.ts';

const upstream = (baseUrl: string) =>
  ({ providerId: 'mine', dialect: 'openai-chat', baseUrl, allowPrivateNetwork: false, quirks: [] }) as const;

test('a model is known by its vendor’s host, whatever the provider is called, and only there', () => {
  const at = (baseUrl: string, upstreamModel: string) =>
    longestAnswerOf({ upstream: upstream(baseUrl), upstreamModel });
  assert.equal(at('https://api.deepseek.com/v1', 'deepseek-flash'), 393_216);
  assert.equal(at('https://API.deepseek.com', 'deepseek-flash'), 393_216);
  assert.equal(at('https://proxy.example/v1', 'deepseek-flash'), undefined);
  assert.equal(at('https://api.deepseek.com/v1', 'constructor'), undefined);
  assert.equal(at('unix:/run/engine.sock:/v1', 'deepseek-flash'), undefined);
});

test('every vendor of the list is one that is known, and no model stands twice', () => {
  const hosts = new Set(Object.values(KNOWN_PROVIDERS).map(({ baseUrl }) => new URL(baseUrl).hostname));
  for (const [host, model, tokens] of ANSWER_LENGTHS) {
    assert.ok(hosts.has(host), host);
    assert.ok(tokens >= 4_096 && tokens <= 1_048_576, model);
  }
  assert.equal(new Set(ANSWER_LENGTHS.map(([host, model]) => `${host} ${model}`)).size, ANSWER_LENGTHS.length);
});
