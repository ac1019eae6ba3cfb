import type { Config } from '../config.ts';

/** What every part may know of the process that it is opened in. */
export interface Start {
  readonly config: Config;
  readonly version: string;
  /** A server; else a command line that works on the home while no server does. */
  readonly serves: boolean;
  /** A part failed by itself, long after it was opened: the process cannot go on as it is. */
  readonly onCrash: (error: unknown) => void;
}

/** One thing that is opened at the start and closed at the end, and the others that it works with. */
export interface Part<Value> {
  readonly name: string;
  readonly needs: readonly Part<unknown>[];
  /** Its value in one opening: opened at the first asking, after its needs. */
  in(opening: Opening): Promise<Value>;
}

type Needs = Readonly<Record<string, Part<unknown>>>;
type ValuesOf<N extends Needs> = { readonly [Key in keyof N]: N[Key] extends Part<infer Value> ? Value : never };

interface Closer {
  readonly name: string;
  close(): unknown;
}

/** One start of a list of parts. */
export class Opening implements AsyncDisposable {
  readonly start: Start;
  /** In the order in which they were opened, which is an order of needs. */
  readonly #opened: Closer[] = [];

  constructor(start: Start) {
    this.start = start;
  }

  opened(closer: Closer): void {
    this.#opened.push(closer);
  }

  /** What was opened last is closed first, so that nobody closes under one that needs it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { close } of this.#opened.splice(0).reverse()) await close();
  }
}

/** Describes a part. Its needs are opened before it and closed after it; what it does not need may open beside it. */
export function definePart<N extends Needs, Value>(spec: {
  readonly name: string;
  readonly needs: N;
  open(needs: ValuesOf<N>, start: Start): Value | Promise<Value>;
  close?(value: Value): unknown;
}): Part<Value> {
  const { name, needs } = spec;
  const values = new WeakMap<Opening, Promise<Value>>();
  const open = async (opening: Opening): Promise<Value> => {
    const entries = await Promise.all(
      Object.entries(needs).map(async ([key, part]) => [key, await part.in(opening)] as const),
    );
    const given = Object.fromEntries(entries);
    if (!hasAll(needs, given)) throw new Error(`${name} lacks a part that it needs`);
    const value = await spec.open(given, opening.start);
    opening.opened({ name, close: () => spec.close?.(value) });
    return value;
  };
  return {
    name,
    needs: Object.values(needs),
    in(opening) {
      const value = values.get(opening) ?? open(opening);
      values.set(opening, value);
      return value;
    },
  };
}

function hasAll<N extends Needs>(needs: N, values: Readonly<Record<string, unknown>>): values is ValuesOf<N> {
  return Object.keys(needs).every(key => key in values);
}

/**
 * Opens a list of parts, side by side where their needs allow. Where one fails, those that are open are closed again, after all
 * have come to rest, and its error is thrown. Throws Error where a part is needed and not in the list: the list is the whole.
 */
export async function openParts(parts: readonly Part<unknown>[], start: Start): Promise<Opening> {
  for (const { name, needs } of parts)
    for (const need of needs)
      if (!parts.includes(need)) throw new Error(`${name} needs ${need.name}, which is not listed`);
  const opening = new Opening(start);
  const failures: unknown[] = [];
  await Promise.all(parts.map(part => part.in(opening).catch(error => failures.push(error))));
  if (failures.length === 0) return opening;
  await opening[Symbol.asyncDispose]();
  throw failures[0];
}
