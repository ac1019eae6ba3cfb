// Wire grammars. A codec is pure and synchronous; it must not know a provider by name, a price or a socket.
import type { Codec } from './codec.ts';
import { openaiChat } from './openai-chat/index.ts';

export * from './codec.ts';
export { withoutKey } from './scrub.ts';

export const codecs: Readonly<Record<'openai-chat', Codec>> = { 'openai-chat': openaiChat };
