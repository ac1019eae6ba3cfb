import type { Call, JsonValue, Target } from '../codec.ts';
import { isObject } from '../json.ts';

/**
 * The request as one upstream gets it: under its model name, asked for usage in a stream, and bounded in length by the one
 * field that this upstream honours, since a limit under a name that it does not know would be no limit. All else as it came.
 */
export function encodeRequest(call: Call, { model, maxOutputTokens, quirks }: Target): string {
  const body: Record<string, JsonValue | undefined> = { ...call.body, model };
  if (quirks.includes('no-stream-options')) {
    body['stream_options'] = undefined;
  } else if (call.stream) {
    const options = body['stream_options'];
    body['stream_options'] = isObject(options) ? { ...options, include_usage: true } : INCLUDE_USAGE;
  }
  if (call.operation !== 'embeddings') {
    const cap = maxOutputTokens > 0 ? maxOutputTokens : Number.POSITIVE_INFINITY;
    const limit = Math.min(call.maxOutputTokens ?? cap, cap);
    // Completions never learned the newer name.
    const newer = call.operation === 'chat' && quirks.includes('max-completion-tokens');
    body['max_tokens'] = newer || limit === Number.POSITIVE_INFINITY ? undefined : limit;
    body['max_completion_tokens'] = newer && limit !== Number.POSITIVE_INFINITY ? limit : undefined;
  }
  return JSON.stringify(body);
}

const INCLUDE_USAGE = { include_usage: true } as const;
