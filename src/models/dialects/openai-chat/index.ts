// The OpenAI chat dialect: chat completions, its older sibling completions, and embeddings; one file per operation and
// direction. It must not know a provider by name: what differs is read from the bytes, or told by a quirk.
import type { Codec } from '../codec.ts';
import { decodeFault } from './fault-decode.ts';
import { encodeFault } from './fault-encode.ts';
import { decodeRequest } from './request.ts';
import { encodeRequest } from './request-encode.ts';
import { decodeResponse, encodeResponse, usageIn } from './response.ts';
import { createStreamDecoder } from './stream-decode.ts';
import { createStreamEncoder } from './stream-encode.ts';

const PATHS = { chat: '/chat/completions', completions: '/completions', embeddings: '/embeddings' } as const;

export const openaiChat: Codec = {
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  usageIn,
  decoder: createStreamDecoder,
  encoder: createStreamEncoder,
  decodeFault: (status, headers, body) => decodeFault(status, headers, body),
  encodeFault,
  path: operation => PATHS[operation],
};
