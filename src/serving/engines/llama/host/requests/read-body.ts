import type { IncomingMessage } from 'node:http';
import { Fault } from '../../../../../ground/std/index.ts';
import { parseExactValues } from './exact-json.ts';
import { Fields, isObject } from './fields.ts';

const BODY_BYTES_MAX = 16_777_216;

/** The fields of a JSON request. @throws Fault `payload_too_large`, `malformed_request` */
export async function readFields(request: IncomingMessage): Promise<Fields> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > BODY_BYTES_MAX) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  const body = parse(Buffer.concat(chunks).toString('utf8'));
  if (!isObject(body))
    throw new Fault('malformed_request', {
      message: 'the body must be a JSON object',
      messageZh: '请求体必须是 JSON 对象',
    });
  return new Fields(body);
}

function tooLarge(): Fault {
  return new Fault('payload_too_large', { message: 'the body is over 16 MiB', messageZh: '请求体超过 16 MiB' });
}

function parse(text: string): unknown {
  try {
    return parseExactValues(text);
  } catch {
    throw new Fault('malformed_request', { message: 'the body is not JSON', messageZh: '请求体不是 JSON' });
  }
}
