import { KNOWN_PROVIDERS } from './data/providers.ts';

/**
 * A configuration document whose providers say no address, completed from what is known of vendors: `{ id: deepseek, apiKey }`
 * is enough. What a provider says itself stands. Works on what was parsed, before it is validated: anything that is not a
 * document passes through, and the schema names what is wrong.
 */
export function withKnownProviders(document: unknown): unknown {
  if (!isRecord(document) || !Array.isArray(document['providers'])) return document;
  return { ...document, providers: document['providers'].map(complete) };
}

function complete(provider: unknown): unknown {
  if (!isRecord(provider) || typeof provider['id'] !== 'string' || 'baseUrl' in provider) return provider;
  const known = Object.hasOwn(KNOWN_PROVIDERS, provider['id']) ? KNOWN_PROVIDERS[provider['id']] : undefined;
  return known ? { baseUrl: known.baseUrl, quirks: [...known.quirks], ...provider } : provider;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
