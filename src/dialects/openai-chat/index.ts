import type { Codec } from '../codec.ts';
import { decodeFault, encodeFault } from './fault.ts';
import { decodeRequest, encodeRequest } from './request.ts';
import { decodeResponse, encodeResponse } from './response.ts';
import { createStreamDecoder } from './stream-decode.ts';
import { createStreamEncoder } from './stream-encode.ts';

const PATHS = { chat: '/chat/completions', completions: '/completions', embeddings: '/embeddings' } as const;

/** The OpenAI chat dialect: chat completions, with its older sibling completions, and embeddings. */
export const openaiChat: Codec = {
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  decoder: createStreamDecoder,
  encoder: createStreamEncoder,
  decodeFault,
  encodeFault,
  path: operation => PATHS[operation],
};
