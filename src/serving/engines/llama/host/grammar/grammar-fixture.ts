import assert from 'node:assert/strict';
import { getLlama } from 'node-llama-cpp';

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, logger: () => {} });

/** llama.cpp's own word on whether a text is a sentence of a grammar. */
export async function acceptor(grammar: string): Promise<(text: string) => boolean> {
  const compiled: unknown = Reflect.get(await llama.createGrammar({ grammar }), '_grammar');
  assert.ok(typeof compiled === 'object' && compiled !== null && 'isTextCompatible' in compiled);
  const { isTextCompatible } = compiled;
  assert.ok(typeof isTextCompatible === 'function');
  return text => Boolean(isTextCompatible.call(compiled, text));
}
