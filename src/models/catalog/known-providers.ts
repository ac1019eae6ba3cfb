import { KNOWN_PROVIDERS, type KnownProvider } from './data/providers.ts';

/**
 * A configuration document whose providers say no address, completed from what is known of vendors: `{ id: deepseek, apiKey }`
 * is enough. What a provider says itself stands. Works on what was parsed, before it is validated: anything that is not a
 * document passes through, and the schema names what is wrong.
 */
export function withKnownProviders(document: unknown): unknown {
  if (!isRecord(document) || !Array.isArray(document['providers'])) return document;
  return { ...document, providers: document['providers'].map(complete) };
}

/** The vendors that are known, in the order of their ids. */
export function knownProviders(): readonly (Pick<KnownProvider, 'name' | 'baseUrl' | 'quirks'> & {
  readonly id: string;
})[] {
  return Object.entries(KNOWN_PROVIDERS)
    .map(([id, { name, baseUrl, quirks }]) => ({ id, name, baseUrl, quirks }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function complete(provider: unknown): unknown {
  if (!isRecord(provider) || typeof provider['id'] !== 'string' || 'baseUrl' in provider) return provider;
  const known = Object.hasOwn(KNOWN_PROVIDERS, provider['id']) ? KNOWN_PROVIDERS[provider['id']] : undefined;
  return known ? { baseUrl: known.baseUrl, quirks: [...known.quirks], ...provider } : provider;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
