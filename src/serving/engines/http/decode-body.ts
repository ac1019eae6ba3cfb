import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Fault } from '../../../ground/std/index.ts';
import { answerFault } from './transport-fault.ts';

/** An answer in full is far below; beyond lies a bomb. */
const DECODED_BYTES_MAX = 67_108_864;
/** Repetitive JSON packs 30:1 at most in what vendors send; deflate itself reaches 1,032:1. */
const RATIO_MAX = 200;
/** The ratio says nothing about small answers. */
const RATIO_FROM_BYTES = 1_048_576;

export interface DecodedSink {
  onData(chunk: Buffer): void;
  onEnd(): void;
  onFault(fault: Fault): void;
  /** The decoder is full; and it is empty again. */
  onFull(full: boolean): void;
}

export interface BodyDecoder {
  write(chunk: Buffer): void;
  end(): void;
  pause(): void;
  resume(): void;
  destroy(): void;
}

const MAKERS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;

/** Undoes one content coding, bounded in bytes and ratio. Undefined where the coding is unknown (or several). */
export function createBodyDecoder(encoding: string, sink: DecodedSink): BodyDecoder | undefined {
  const name = encoding.trim().toLowerCase();
  if (!isKnown(name)) return undefined;
  const stream = MAKERS[name]();
  let unpacked = 0;
  let over = false;
  const fail = (fault: Fault) => {
    if (over) return;
    over = true;
    stream.destroy();
    sink.onFault(fault);
  };
  stream.on('data', (chunk: Buffer) => {
    if (over) return;
    unpacked += chunk.length;
    if (unpacked > DECODED_BYTES_MAX || (unpacked > RATIO_FROM_BYTES && unpacked > stream.bytesWritten * RATIO_MAX))
      return fail(
        answerFault(
          'The compressed answer of the upstream is too large',
          '上游服务返回的压缩内容过大',
          `${stream.bytesWritten} bytes of ${name} became more than ${unpacked}`,
        ),
      );
    sink.onData(chunk);
  });
  stream.on('drain', () => sink.onFull(false));
  stream.on('error', error =>
    fail(
      answerFault('The compressed answer of the upstream is damaged', '上游服务返回的压缩内容已损坏', error.message),
    ),
  );
  stream.on('end', () => {
    if (over) return;
    over = true;
    sink.onEnd();
  });
  return {
    write(chunk) {
      if (!over && !stream.write(chunk)) sink.onFull(true);
    },
    end: () => void stream.end(),
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    destroy() {
      over = true;
      stream.destroy();
    },
  };
}

function isKnown(name: string): name is keyof typeof MAKERS {
  return Object.hasOwn(MAKERS, name);
}
