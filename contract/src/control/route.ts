import type * as z from 'zod';
import type { Permission } from './permissions.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One route of the control API: all that client, server, documentation and tests must agree on. */
export interface Route {
  readonly method: Method;
  /** `:name` is one part of the path, `:name+` one or more. */
  readonly path: `/${string}`;
  /** Absent: anyone. */
  readonly permission?: Permission;
  /**
   * Whose it is. `platform`: nobody's in particular, so only for those who are not bound to an organization. A parameter or a query
   * field names the organization. `object`: the handler knows, and asks `mayTouch`. `open`: the same for everybody.
   */
  readonly tenant: 'platform' | 'object' | 'open' | { readonly param: string } | { readonly query: string };
  readonly summary: { readonly en: string; readonly zh: string };
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** Of an answer that made something: 201. */
  readonly status?: 200 | 201;
  /** How an answer of many pages goes on: its field `next` is the next one's query `cursor`. */
  readonly paging?: 'cursor';
  /** May be sent again by whoever does not know what became of it: by its nature, or with `Idempotency-Key`. */
  readonly idempotency?: 'natural' | 'key';
  /** What the audit log calls it; every route that changes something has one. */
  readonly audit?: string;
}

/** Keeps the exact types of a route; the table is checked by a test. */
export function route<const R extends Route>(definition: R): R {
  return definition;
}

type Plain<P extends string> = P extends `${infer Name}+` ? Name : P;
type ParamNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Plain<Name> | ParamNames<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Plain<Name>
    : never;

export type ParamsOf<R extends Route> = { readonly [Name in ParamNames<R['path']>]: string };
/** What a caller gives, before defaults. */
export type QueryIn<R extends Route> = R extends { readonly query: infer Q extends z.ZodType } ? z.input<Q> : undefined;
export type BodyIn<R extends Route> = R extends { readonly body: infer B extends z.ZodType } ? z.input<B> : undefined;
/** What a handler gets. */
export type QueryOf<R extends Route> = R extends { readonly query: infer Q extends z.ZodType }
  ? z.output<Q>
  : undefined;
export type BodyOf<R extends Route> = R extends { readonly body: infer B extends z.ZodType } ? z.output<B> : undefined;
export type AnswerOf<R extends Route> = z.output<R['answer']>;

type Part<Name extends string, Value> = [Value] extends [undefined]
  ? { readonly [N in Name]?: undefined }
  : undefined extends Value
    ? { readonly [N in Name]?: Value }
    : Record<never, never> extends Value
      ? { readonly [N in Name]?: Value }
      : { readonly [N in Name]: Value };

/** What a client sends. */
export type RouteInput<R extends Route> = Part<
  'params',
  [ParamNames<R['path']>] extends [never] ? undefined : ParamsOf<R>
> &
  Part<'query', QueryIn<R>> &
  Part<'body', BodyIn<R>> & { readonly idempotencyKey?: string };

/** The path and query of a request, with what the parameters are. */
export function routeTarget(
  { path }: Pick<Route, 'path'>,
  { params = {}, query = {} }: { readonly params?: Readonly<Record<string, string>>; readonly query?: object } = {},
): string {
  const named = new Map(Object.entries(params));
  const filled = path.replace(/:(\w+)(\+?)/g, (_all, name: string, many: string) => {
    const value = named.get(name) ?? '';
    return many === '' ? encodeURIComponent(value) : value.split('/').map(encodeURIComponent).join('/');
  });
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) fields.append(name, String(value));
  const search = fields.toString();
  return search === '' ? filled : `${filled}?${search}`;
}
