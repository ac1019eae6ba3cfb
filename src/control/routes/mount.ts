import { createHash } from 'node:crypto';
import type { AnswerOf, BodyOf, ParamsOf, QueryOf, Route } from '@millrace/contract';
import { Fault, toFault } from '../../ground/std/index.ts';
import type { Audit } from '../../people/audit/index.ts';
import { mayTouch, type Principal } from '../../people/identity/index.ts';
import { type ControlApp, type ControlContext, readBody, readQuery } from '../context.ts';
import type { Lang } from '../language.ts';
import { authorize, unknownCaller } from './authorize.ts';
import type { IdempotentAnswers, Stored } from './idempotent-answers.ts';

/** What a handler works with: all of it was checked. */
export interface RouteCall<R extends Route> {
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
  readonly principal: Principal;
  readonly lang: Lang;
  /** Throws `gone` where what belongs to that organization is not there for who asks. */
  readonly touch: (organizationId: string | null, gone: () => Fault) => void;
}

/** An answer of another status than the route's: something that was there already. */
export class Answer<A> {
  readonly body: A;
  readonly status: 200 | 201;

  constructor(body: A, status: 200 | 201) {
    this.body = body;
    this.status = status;
  }
}

/** As a handler may give it: nothing of it is changed. */
type Immutable<T> = T extends readonly (infer E)[]
  ? readonly Immutable<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Immutable<T[K]> }
    : T;

export type Handler<R extends Route> = (
  call: RouteCall<R>,
) => Promise<Immutable<AnswerOf<R>> | Answer<Immutable<AnswerOf<R>>>>;

type Table = Readonly<Record<string, Route>>;
/** Exactly one handler for each route of a resource: one that is missing does not compile. */
export type Handlers<T extends Table> = { readonly [Name in keyof T]: Handler<T[Name]> };

export interface MountDeps {
  readonly audit: Audit;
  readonly answers: IdempotentAnswers;
}

const ANYONE: Principal = { id: 'anyone', role: 'member' };

/** Puts the routes of a resource into the app: who may, what was asked, once, what is answered, and who did it, in this order. */
export function mountRoutes<const T extends Table>(
  app: ControlApp,
  deps: MountDeps,
  { routes, handlers }: { readonly routes: T; readonly handlers: Handlers<T> },
): void {
  const names: readonly (keyof T & string)[] = Object.keys(routes);
  for (const name of names) {
    const route = routes[name];
    const handler = handlers[name];
    if (route === undefined || handler === undefined) throw new Error(`the route ${name} has no handler`);
    app.on(route.method, [honoPath(route.path)], c => new RouteServing(route, deps, c).serve(handler));
  }
}

/** `:id+` is `:id{.+}` to Hono. */
export const honoPath = (path: string) => path.replace(/:(\w+)\+/g, ':$1{.+}');

class RouteServing<R extends Route> {
  readonly #route: R;
  readonly #deps: MountDeps;
  readonly #c: ControlContext;
  /** Whose things the handler said it touches, and what it made. */
  #touched: string | undefined;
  #made = '';

  constructor(route: R, deps: MountDeps, c: ControlContext) {
    this.#route = route;
    this.#deps = deps;
    this.#c = c;
  }

  async serve(handler: Handler<R>): Promise<Response> {
    const c = this.#c;
    const principal = c.get('principal');
    let body: unknown;
    try {
      const call = await this.#read(principal);
      body = call.body;
      const stored = await this.#answer(call, handler);
      await this.#record('ok', principal, body);
      return this.#respond(stored);
    } catch (error) {
      await this.#record(toFault(error).code, principal, body);
      throw error;
    }
  }

  async #read(principal: Principal | undefined): Promise<RouteCall<R>> {
    const c = this.#c;
    const route: Route = this.#route;
    const params = new Map(Object.entries(c.req.param()));
    const query = new Map(Object.entries(c.req.query()));
    authorize(route, principal, { params, query });
    const asked = route.query === undefined ? undefined : readQuery(c, route.query, this.#ownOnly(principal));
    const body = route.body === undefined ? undefined : await readBody(c, route.body);
    const who = principal ?? ANYONE;
    return {
      // The types follow from the route's own schemas, which have just checked the values.
      params: Object.fromEntries(params) as ParamsOf<R>,
      query: asked as QueryOf<R>,
      body: body as BodyOf<R>,
      principal: who,
      lang: c.get('lang'),
      touch: (organizationId, gone) => {
        this.#touched = organizationId ?? undefined;
        if (!mayTouch(who, organizationId)) throw gone();
      },
    };
  }

  /** Who is bound to an organization lists its things alone, whether they say so or not. */
  #ownOnly(principal: Principal | undefined): Readonly<Record<string, string>> {
    const { tenant } = this.#route;
    const own = principal?.organizationId;
    return own !== undefined && typeof tenant === 'object' && 'query' in tenant ? { [tenant.query]: own } : {};
  }

  async #answer(call: RouteCall<R>, handler: Handler<R>): Promise<Stored> {
    const route: Route = this.#route;
    const work = async () => {
      const answer = await handler(call);
      const [value, status] = answer instanceof Answer ? [answer.body, answer.status] : [answer, route.status ?? 200];
      const checked = route.answer.safeParse(value);
      if (!checked.success)
        throw new Fault('internal', {
          internal: `${route.method} ${route.path} would answer ${checked.error.issues[0]?.path.join('.')}: ${checked.error.issues[0]?.message}`,
        });
      this.#made = idIn(checked.data);
      return { status, text: JSON.stringify(checked.data) };
    };
    const key = this.#c.req.header('idempotency-key');
    if (key === undefined || route.idempotency !== 'key') return work();
    if (!this.#c.get('principal')) throw unknownCaller();
    const { path } = this.#c.req;
    const asked = `${route.method} ${path} ${JSON.stringify(call.body ?? null)}`;
    return this.#deps.answers.once({ principal: call.principal.id, key, asked }, work);
  }

  #respond({ status, text }: Stored): Response {
    const c = this.#c;
    c.header('content-type', 'application/json; charset=utf-8');
    if (this.#route.method === 'GET') {
      const etag = `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
      c.header('etag', etag);
      c.header('cache-control', 'private, no-cache');
      const known = (c.req.header('if-none-match') ?? '').split(',').map(part => part.trim());
      if (known.includes(etag)) return c.body(null, 304);
    }
    return c.body(text, status === 201 ? 201 : 200);
  }

  /** Who tried to change what, and what became of it. What nobody known tried is in the log of requests alone. */
  async #record(outcome: string, principal: Principal | undefined, body: unknown): Promise<void> {
    const route: Route = this.#route;
    if (route.audit === undefined || !principal) return;
    const c = this.#c;
    const params = c.req.param();
    await this.#deps.audit.record({
      actor: principal.id,
      role: principal.role,
      action: route.audit,
      organizationId: principal.organizationId ?? this.#touched ?? new Map(Object.entries(params)).get('organization'),
      object: Object.values(params).join('/') || this.#made || idIn(body),
      outcome,
      detail: body,
      address: c.req.header('x-millrace-client-ip'),
    });
  }
}

/** What a body, or an answer, calls the thing that is made. */
function idIn(body: unknown): string {
  if (typeof body !== 'object' || body === null) return '';
  for (const name of ['id', 'name'] as const)
    if (name in body) {
      const value: unknown = Reflect.get(body, name);
      if (typeof value === 'string') return value;
    }
  return '';
}
