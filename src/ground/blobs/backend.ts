/** Where bytes lie. Keys are ours: letters, digits, `-` and one `/`. */
export interface BlobBackend {
  /** Keeps a local file's bytes under a key that was never used; when it returns they are durable. The file is gone then, or ours to remove. */
  keep(key: string, file: string, bytes: number): Promise<void>;
  /** The bytes from `start` up to but not including `end`. Throws Fault `not_found` where the key is not there. */
  read(key: string, range: ByteRange): AsyncIterable<Uint8Array>;
  /** Without effect where the key is not there. */
  remove(key: string): Promise<void>;
  /** All keys, and since when they are there. */
  list(): AsyncIterable<{ readonly key: string; readonly sinceMs: number }>;
  /** Throws a Fault that says what is wrong where it cannot be written to. */
  check(): Promise<void>;
}

export interface ByteRange {
  readonly start: number;
  /** Beyond the last byte. */
  readonly end: number;
}
