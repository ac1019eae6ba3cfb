import { errorSchema, PERMISSIONS, type Route } from '@millrace/contract';
import * as z from 'zod';

/** `:id` and `:id+` are `{id}` to OpenAPI. */
const openapiPath = (path: string) => path.replace(/:(\w+)\+?/g, '{$1}');

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  return rest;
}

function parameters(route: Route): readonly object[] {
  const path = [...route.path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  if (route.query === undefined) return path;
  const shape: { readonly properties?: Readonly<Record<string, unknown>>; readonly required?: readonly string[] } =
    jsonSchema(route.query, 'input');
  const query = Object.entries(shape.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: shape.required?.includes(name) ?? false,
    schema,
  }));
  return [...path, ...query];
}

const FAULTS_OF = {
  '400': 'invalid',
  '401': 'no key',
  '403': 'forbidden',
  '404': 'not found',
  '409': 'conflict',
  '413': 'too large',
  '500': 'ours',
};

function operation(id: string, route: Route): object {
  const idempotent = route.idempotency === 'key';
  const header = { name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 255 } };
  return {
    operationId: id,
    summary: route.summary.en,
    'x-summary-zh': route.summary.zh,
    tags: [id.split('.')[0]],
    ...(route.permission ? { 'x-permission': route.permission, security: [{ admin: [] }] } : { security: [] }),
    parameters: [...parameters(route), ...(idempotent ? [header] : [])],
    ...(route.body
      ? {
          requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(route.body, 'input') } } },
        }
      : {}),
    responses: {
      [route.status ?? 200]: {
        description: route.summary.en,
        content: { 'application/json': { schema: jsonSchema(route.answer, 'output') } },
      },
      ...Object.fromEntries(
        Object.entries(FAULTS_OF).map(([status, description]) => [
          status,
          { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
        ]),
      ),
    },
  };
}

/** OpenAPI 3.1 of the control API, from its table of routes. */
export function openapiOf(tables: Readonly<Record<string, Readonly<Record<string, Route>>>>, version: string): object {
  const paths = new Map<string, Map<string, object>>();
  for (const [noun, routes] of Object.entries(tables))
    for (const [verb, route] of Object.entries(routes)) {
      const path = openapiPath(route.path);
      const methods = paths.get(path) ?? new Map<string, object>();
      methods.set(route.method.toLowerCase(), operation(`${noun}.${verb}`, route));
      paths.set(path, methods);
    }
  return {
    openapi: '3.1.0',
    info: { title: 'Millrace control API', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    paths: Object.fromEntries([...paths].map(([path, methods]) => [path, Object.fromEntries(methods)])),
    components: {
      schemas: { Error: jsonSchema(errorSchema, 'output') },
      securitySchemes: {
        admin: { type: 'http', scheme: 'bearer', description: `permissions: ${Object.keys(PERMISSIONS).join(', ')}` },
      },
    },
  };
}
