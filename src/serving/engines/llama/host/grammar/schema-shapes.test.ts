import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { Fault } from '../../../../../ground/std/index.ts';
import { acceptor } from './grammar-fixture.ts';
import { jsonSchemaGrammar } from './json-schema-grammar.ts';

/** Schemas as zod 4 writes them, with values that must be sayable; what is sayable is checked against zod itself. */
const tree: z.ZodType = z.lazy(() => z.object({ value: z.int(), children: z.array(tree) }));
const expression: z.ZodType = z.lazy(() =>
  z.discriminatedUnion('op', [
    z.object({ left: expression, op: z.literal('add'), right: expression }),
    z.object({ left: expression, op: z.literal('mul'), right: expression }),
    z.object({ op: z.literal('num'), value: z.number() }),
  ]),
);
const ZOD: readonly (readonly [what: string, schema: z.ZodType, valid: readonly unknown[]])[] = [
  ['email', z.email(), ['a.b+c@mail.example.org']],
  ['uuid', z.uuid(), ['0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b']],
  ['date-time', z.iso.datetime(), ['2024-02-29T23:59:59.123Z', '2026-12-31T00:00:00Z']],
  ['date', z.iso.date(), ['2024-02-29', '2026-01-31']],
  ['time', z.iso.time(), ['23:59:59.5']],
  ['duration', z.iso.duration(), ['P3D', 'PT5M', 'P2W']],
  ['ipv4', z.ipv4(), ['192.168.0.255']],
  ['ipv6', z.ipv6(), ['2001:db8::1', '1:2:3:4:5:6:7:8']],
  ['uri', z.url(), ['https://example.org/a?b=c']],
  ['hostname', z.hostname(), ['a.example.org']],
  ['base64', z.base64(), ['', 'AAAA', 'QQ==']],
  ['nanoid', z.nanoid(), ['V1StGXR8_Z5jdHi6B-myT']],
  ['e164', z.e164(), ['+8613800138000']],
  ['cidr', z.cidrv4(), ['10.0.0.0/8']],
  ['a pattern', z.string().regex(/^[a-z]{2,4}\d+$/), ['ab1', 'abcd99']],
  ['a start', z.string().startsWith('ab.'), ['ab.x']],
  ['an end', z.string().endsWith('x'), ['abx']],
  ['a part', z.string().includes('q'), ['aqb']],
  ['long text', z.string().min(1).max(5_000), ['a', 'b'.repeat(5_000)]],
  ['above zero', z.number().positive(), [0.5, 3]],
  ['below a decimal', z.number().min(-1.25).lt(2.5), [-1.25, 2.4, 0]],
  ['int', z.int(), [0, -9007199254740991, 9007199254740991]],
  ['int32', z.int32(), [2147483647]],
  ['a record', z.record(z.string(), z.number()), [{}, { a: 1, b: 2.5 }]],
  ['a record over names', z.record(z.enum(['a', 'b']), z.number()), [{ a: 1, b: 2 }]],
  ['a part of a record', z.partialRecord(z.enum(['a', 'b']), z.number()), [{}, { b: 2 }]],
  ['a record over a pattern', z.record(z.string().regex(/^x\d$/), z.boolean()), [{}, { x1: true }]],
  ['a tuple with a rest', z.tuple([z.string()], z.number()), [['a']]],
  ['literals', z.literal(['a', 1, null]), ['a', 1, null]],
  ['never', z.object({ a: z.never().optional(), b: z.string() }), [{ b: 'x' }]],
  ['both', z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })), [{ a: 'x', b: 'y' }]],
  ['one of two types', z.xor([z.string(), z.number()]), ['a', 1]],
  ['defaults', z.object({ a: z.string().default('x'), b: z.string().nullable().optional() }), [{ a: 'x', b: null }]],
  ['a tree', tree, [{ value: 1, children: [{ value: 2, children: [] }] }]],
];

for (const [what, schema, valid] of ZOD)
  test(`zod: ${what}`, async () => {
    const json = z.toJSONSchema(schema);
    const accepts = await acceptor(jsonSchemaGrammar(json, 'schema'));
    for (const value of valid) {
      assert.ok(schema.safeParse(value).success, 'the example itself');
      assert.ok(accepts(JSON.stringify(value)), JSON.stringify(value));
    }
    for (const wrong of [
      '',
      'zz',
      -1e9,
      1.5,
      [],
      {},
      { a: 'x' },
      [1],
      null,
      '2026-02-30',
      '2023-02-29',
      '24:00:00',
      true,
    ])
      if (!schema.safeParse(wrong).success)
        assert.ok(!accepts(JSON.stringify(wrong)), `should not accept ${JSON.stringify(wrong)}`);
  });

test('zod: a recursive union told by a constant that does not come first', async () => {
  const accepts = await acceptor(jsonSchemaGrammar(z.toJSONSchema(expression), 'schema'));
  const num = { op: 'num', value: 1.5 };
  assert.ok(accepts(JSON.stringify({ op: 'add', left: { op: 'mul', left: num, right: num }, right: num })));
  assert.ok(!accepts(JSON.stringify({ op: 'add', left: num })));
});

/** As pydantic 2.13 writes them (`model_json_schema`). */
const PYDANTIC: readonly (readonly [
  what: string,
  schema: unknown,
  valid: readonly string[],
  invalid: readonly string[],
])[] = [
  [
    'a discriminated union of references',
    {
      $defs: {
        Cat: {
          properties: { kind: { const: 'cat', title: 'Kind', type: 'string' }, lives: { type: 'integer' } },
          required: ['kind', 'lives'],
          title: 'Cat',
          type: 'object',
        },
        Dog: {
          properties: { kind: { const: 'dog', title: 'Kind', type: 'string' } },
          required: ['kind'],
          title: 'Dog',
          type: 'object',
        },
      },
      properties: {
        pet: {
          discriminator: { mapping: { cat: '#/$defs/Cat', dog: '#/$defs/Dog' }, propertyName: 'kind' },
          oneOf: [{ $ref: '#/$defs/Cat' }, { $ref: '#/$defs/Dog' }],
          title: 'Pet',
        },
      },
      required: ['pet'],
      title: 'Model',
      type: 'object',
    },
    ['{"pet":{"kind":"cat","lives":9}}', '{"pet":{"kind":"dog"}}'],
    ['{"pet":{"kind":"dog","lives":9}}', '{"pet":{"kind":"cow"}}'],
  ],
  [
    'optional, annotated, bounded',
    {
      properties: {
        name: { maxLength: 5_000, minLength: 1, title: 'Name', type: 'string' },
        score: { exclusiveMinimum: 0.0, maximum: 1.0, title: 'Score', type: 'number' },
        note: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null, title: 'Note' },
        when: { format: 'date-time', title: 'When', type: 'string' },
        big: { maximum: 9223372036854775807n.toString().length, type: 'integer' },
      },
      required: ['name', 'score'],
      type: 'object',
    },
    ['{"name":"x","score":0.25}', '{"name":"x","score":1,"note":null,"when":"2024-02-29T12:00:00+08:00"}'],
    [
      '{"name":"","score":0.5}',
      '{"name":"x","score":0}',
      '{"name":"x","score":1.01}',
      '{"name":"x","score":1,"when":"2023-02-29T12:00:00Z"}',
    ],
  ],
  [
    'a map over an enumeration, and one over a pattern',
    {
      $defs: { Color: { enum: ['red', 'blue'], type: 'string' } },
      properties: {
        a: { additionalProperties: { type: 'integer' }, propertyNames: { $ref: '#/$defs/Color' }, type: 'object' },
        b: { patternProperties: { '^x-[a-z]+$': { type: 'string' } }, type: 'object' },
      },
      required: ['a', 'b'],
      type: 'object',
    },
    ['{"a":{"red":1},"b":{"x-y":"z"}}', '{"a":{},"b":{}}'],
    ['{"a":{"green":1},"b":{}}', '{"a":{},"b":{"y":"z"}}'],
  ],
];

for (const [what, schema, valid, invalid] of PYDANTIC)
  test(`pydantic: ${what}`, async () => {
    const accepts = await acceptor(jsonSchemaGrammar(schema, 'schema'));
    for (const text of valid) assert.ok(accepts(text), text);
    for (const text of invalid) assert.ok(!accepts(text), `should not accept ${text}`);
  });

test('every day of the calendar can be said, and no other', async () => {
  const accepts = await acceptor(jsonSchemaGrammar({ type: 'string', format: 'date' }, 'schema'));
  for (const year of [1999, 2000, 2023, 2024, 2100, 2400])
    for (let month = 0; month <= 13; month += 1)
      for (let day = 0; day <= 32; day += 1) {
        const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
        const date = new Date(`${text}T00:00:00Z`);
        const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
        assert.equal(accepts(`"${text}"`), exists, text);
      }
});

const list = (item: object, more: object = {}) => ({ type: 'array', items: item, ...more });
const SELF = { $ref: '#' };
/** What llama.cpp would read in ever more ways: each must be refused, or read in one. */
const AMBIGUOUS: readonly (readonly [what: string, schema: unknown, outcome: 'one' | 'refused'])[] = [
  [
    'the same list eight times',
    { $defs: { a: { anyOf: Array.from({ length: 8 }, () => list({ $ref: '#/$defs/a' })) } }, $ref: '#/$defs/a' },
    'one',
  ],
  [
    'the same list in other words',
    { anyOf: [list(SELF), list(SELF, { minItems: 0 }), list(SELF, { title: 'x' })] },
    'one',
  ],
  [
    'lists that differ by length',
    { anyOf: [list(SELF), list(SELF, { minItems: 1 }), list(SELF, { maxItems: 9 })] },
    'refused',
  ],
  ['a list and a tuple', { anyOf: [list(SELF), { prefixItems: [SELF] }, { prefixItems: [SELF, SELF] }] }, 'refused'],
  [
    'objects that differ behind what they hold',
    {
      anyOf: ['x', 'y'].map(tail => ({
        type: 'object',
        properties: { a: SELF, b: { type: 'integer' }, [tail]: { type: 'null' } },
        required: ['a', 'b', tail],
      })),
    },
    'refused',
  ],
  [
    'objects that differ by their first name',
    {
      anyOf: [
        { type: 'null' },
        ...['x', 'y'].map(name => ({ type: 'object', properties: { [name]: SELF }, required: [name] })),
      ],
    },
    'one',
  ],
  [
    'open objects',
    {
      anyOf: [
        { type: 'object', additionalProperties: SELF },
        { type: 'object', additionalProperties: { anyOf: [SELF, { type: 'null' }] } },
      ],
    },
    'refused',
  ],
  [
    'twenty unions of two, each within the other',
    {
      $defs: Object.fromEntries(
        Array.from({ length: 21 }, (_, at) => [
          `u${at}`,
          at === 20
            ? { type: 'integer' }
            : { anyOf: [list({ $ref: `#/$defs/u${at + 1}` }), list({ $ref: `#/$defs/u${at + 1}` }, { minItems: 1 })] },
        ]),
      ),
      $ref: '#/$defs/u0',
    },
    'refused',
  ],
  [
    'twelve unions that are one another',
    {
      $defs: Object.fromEntries(
        Array.from({ length: 13 }, (_, at) => [
          `u${at}`,
          at === 12
            ? { type: 'integer' }
            : { anyOf: [{ $ref: `#/$defs/u${at + 1}` }, { $ref: `#/$defs/u${at + 1}`, nullable: true }] },
        ]),
      ),
      $ref: '#/$defs/u0',
    },
    'one',
  ],
  ['anything, or a list of itself', { anyOf: [{}, list(SELF)] }, 'one'],
];

for (const [what, schema, outcome] of AMBIGUOUS)
  test(`ways to read: ${what}: ${outcome}`, async () => {
    const startMs = performance.now();
    if (outcome === 'refused')
      assert.throws(
        () => jsonSchemaGrammar(schema, 'schema'),
        (error: unknown) => error instanceof Fault && error.code === 'invalid_parameter',
      );
    else {
      const accepts = await acceptor(jsonSchemaGrammar(schema, 'schema'));
      assert.ok(!accepts('['.repeat(60)));
      assert.ok(!accepts('{"x":'.repeat(60)));
    }
    assert.ok(performance.now() - startMs < 2_000, 'at once');
  });

test('the largest schemas are read and compiled in no time, or refused', async () => {
  const properties = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, { type: 'string' }]));
  const wide = { properties: properties(1_200), required: Object.keys(properties(1_200)) };
  const startMs = performance.now();
  for (const schema of [
    { type: 'string', minLength: 99_999, maxLength: 900_000_000 },
    list(list(list({ type: 'string', maxLength: 5_000 }, { maxItems: 5_000 }), { maxItems: 5_000 }), {
      maxItems: 5_000,
    }),
    { properties: properties(256) },
    wide,
  ])
    await acceptor(jsonSchemaGrammar(schema, 'schema'));
  for (const schema of [{ properties: properties(257) }, { anyOf: Array.from({ length: 999 }, () => wide) }])
    assert.throws(() => jsonSchemaGrammar(schema, 'schema'), /too large a schema/);
  assert.ok(performance.now() - startMs < 10_000);
});

test('hundreds of constants, and texts with long common beginnings, are a tree of letters', async () => {
  const texts = Array.from({ length: 900 }, (_, at) => `${'customer/'.repeat(3)}${at}`);
  const grammar = jsonSchemaGrammar({ enum: [...texts, 'customer', 5, 51, null] }, 'schema');
  assert.equal(grammar.split('customer').length, 3 + 1);
  const accepts = await acceptor(grammar);
  for (const value of [texts[0], texts[899], 'customer', 5, 51, null])
    assert.ok(accepts(JSON.stringify(value)), `${value}`);
  for (const value of ['customer/', '', 'x', 511, true]) assert.ok(!accepts(JSON.stringify(value)), `${value}`);
});

test('constants and bounds of more digits than JavaScript counts are kept', async () => {
  const { parseExact } = await import('../requests/exact-json.ts');
  const schema = parseExact(
    '{"anyOf":[{"const":1234567890123456789},{"type":"integer","minimum":9007199254740993,"maximum":9007199254740995}]}',
  );
  const accepts = await acceptor(jsonSchemaGrammar(schema, 'schema'));
  for (const text of ['1234567890123456789', '9007199254740993', '9007199254740995']) assert.ok(accepts(text), text);
  for (const text of ['1234567890123456800', '9007199254740992', '9007199254740996']) assert.ok(!accepts(text), text);
});
