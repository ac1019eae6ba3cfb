import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../../../../ground/std/index.ts';
import { acceptor } from './grammar-fixture.ts';
import { jsonObjectGrammar, jsonSchemaGrammar, toolCallGrammar } from './json-schema-grammar.ts';

const NODE_SCHEMA = {
  type: 'object',
  properties: { v: { type: 'integer' }, next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } },
  required: ['v', 'next'],
};

const SCHEMAS: readonly (readonly [schema: unknown, valid: readonly string[], invalid: readonly string[]])[] = [
  [
    {},
    ['1', '{"a":[1,{"b":null}]}', '"x\\u00e9\\n中"', '-1.5e10', 'true'],
    ['01', '{a:1}', 'nul', '"\n"', '1e4000', ''],
  ],
  [true, ['[]'], ['[,]']],
  [
    {
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'integer' }, c: { type: 'boolean' } },
      required: ['b'],
    },
    ['{"b":1}', '{"a":"x","b":1}', '{"b": 1,"c": true}', '{\n  "a": "", "b": 2, "c": false\n}'],
    ['{}', '{"a":"x"}', '{,"b":1}', '{"b":1,}', '{"c":true,"b":1}', '{"b":1,"d":2}', '{"b":1.5}'],
  ],
  [{ properties: { a: {}, b: {} } }, ['{}', '{"a":1}', '{"b":1}', '{"a":1,"b":[]}'], ['{"a":1,}', '{"b":1,"a":1}']],
  [{ type: 'object', additionalProperties: { type: 'integer' } }, ['{}', '{"x":1,"y":2}'], ['{"x":"1"}']],
  [{ type: 'object', additionalProperties: false }, ['{}', '{ }'], ['{"a":1}']],
  [
    { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 3 },
    ['[1,2]', '[1, 2,3]'],
    ['[1]', '[1,2,3,4]', '[]'],
  ],
  [{ type: 'array', maxItems: 0 }, ['[]'], ['[1]']],
  [{ type: 'array', items: { enum: ['a', 1, null] } }, ['[]', '["a",1,null]'], ['["b"]']],
  [{ prefixItems: [{ type: 'string' }, { type: 'number' }] }, ['["a",1.5]'], ['["a"]', '[1,"a"]', '["a",1,2]']],
  [
    { $defs: { node: NODE_SCHEMA }, $ref: '#/$defs/node' },
    ['{"v":1,"next":{"v":2,"next":null}}'],
    ['{"v":1}', '{"v":1,"next":1}'],
  ],
  [
    { type: ['string', 'null'], minLength: 2, maxLength: 3 },
    ['"ab"', '"中文字"', '"\\n\\n"', 'null'],
    ['"a"', '"abcd"', '1'],
  ],
  [{ type: 'integer', nullable: true }, ['1', 'null'], ['"1"']],
  [{ type: 'integer', minimum: 3, exclusiveMaximum: 12 }, ['3', '9', '11'], ['2', '12', '03', '-3']],
  [{ type: 'number', minimum: 0, maximum: 1 }, ['0', '1', '0.5'], ['1.1', '-0.1', '2']],
  [
    {
      oneOf: [
        { type: 'object', properties: { k: { const: 'a' }, x: { type: 'integer' } }, required: ['k', 'x'] },
        { type: 'object', properties: { k: { const: 'b' } }, required: ['k'] },
        { type: 'null' },
      ],
    },
    ['{"k":"a","x":1}', '{"k":"b"}', 'null'],
    ['{"k":"c"}', '{"k":"b","x":1}'],
  ],
  [{ allOf: [{ type: 'boolean' }] }, ['true'], ['1']],
  [{ type: 'string', format: 'date-time' }, ['"2026-02-28T23:59:59Z"'], ['"2026-02-30T00:00:00Z"', '"today"']],
  [{ type: 'string', format: 'uuid' }, ['"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"'], ['"x"']],
  [{ enum: ['a"b\\c\n\u0001', '中', { x: [1] }] }, ['"a\\"b\\\\c\\n\\u0001"', '"中"', '{"x":[1]}'], ['"a"']],
  [
    {
      properties: { 'we"ird\\ 名': { title: 'T', description: 'd', default: 1, type: 'null' } },
      required: ['we"ird\\ 名'],
    },
    ['{"we\\"ird\\\\ 名":null}'],
    ['{}'],
  ],
];

for (const [schema, valid, invalid] of SCHEMAS)
  test(`schema ${JSON.stringify(schema).slice(0, 90)}`, async () => {
    const accepts = await acceptor(jsonSchemaGrammar(schema, 'schema'));
    for (const text of valid) {
      assert.ok(accepts(text), `should accept ${text}`);
      JSON.parse(text);
    }
    for (const text of invalid) assert.ok(!accepts(text), `should not accept ${text}`);
  });

const REFUSED: readonly (readonly [schema: unknown, param: string])[] = [
  [false, 'schema'],
  ['string', 'schema'],
  [{ type: 'string', pattern: '(?=a)' }, 'schema.pattern'],
  [{ type: 'string', pattern: 5 }, 'schema.pattern'],
  [{ type: 'string', pattern: '^2026', format: 'date' }, 'schema.pattern'],
  [{ type: 'string', pattern: '^a+b$', maxLength: 9 }, 'schema.pattern'],
  [{ not: {} }, 'schema'],
  [{ not: { type: 'null' } }, 'schema.not'],
  [{ type: 'object', properties: { a: { type: 'string', format: 'jwt' } } }, 'schema.properties.a.format'],
  [{ type: 'string', format: 'date', maxLength: 5 }, 'schema.format'],
  [{ type: 'object', properties: { a: {} }, maxProperties: 0 }, 'schema.minProperties'],
  [{ type: 'object', propertyNames: { type: 'integer' } }, 'schema.propertyNames'],
  [{ type: 'number', multipleOf: 2 }, 'schema.multipleOf'],
  [{ type: 'number', minimum: 'low' }, 'schema.minimum'],
  [{ type: 'number', multipleOf: 0.5 }, 'schema.multipleOf'],
  [{ type: 'integer', minimum: 3, maximum: 2 }, 'schema'],
  [{ type: 'array', uniqueItems: true }, 'schema.uniqueItems'],
  [{ type: 'array', minItems: 5e9 }, 'schema.minItems'],
  [{ type: 'array', minItems: 3, maxItems: 2 }, 'schema.maxItems'],
  [{ type: 'object', patternProperties: { a: {}, b: {} } }, 'schema.patternProperties'],
  [{ type: 'object', required: ['z'] }, 'schema.required'],
  [{ type: 'thing' }, 'schema.type'],
  [{ anyOf: [] }, 'schema.anyOf'],
  [{ anyOf: [{ type: 'integer' }], type: 'string' }, 'schema'],
  [{ oneOf: [{ type: 'number' }, { type: 'integer' }] }, 'schema.oneOf'],
  [{ allOf: [{}, {}] }, 'schema.allOf'],
  [{ $ref: 'https://example.com/schema' }, 'schema.$ref'],
  [{ $ref: '#/$defs/nope' }, 'schema.$ref'],
  [{ $ref: '#/__proto__' }, 'schema.$ref'],
  [{ $ref: '#/%zz' }, 'schema.$ref'],
];

for (const [schema, param] of REFUSED)
  test(`refused by name, not dropped: ${JSON.stringify(schema)}`, () => {
    assert.throws(
      () => jsonSchemaGrammar(schema, 'schema'),
      (error: unknown) => error instanceof Fault && error.code === 'invalid_parameter' && error.details.param === param,
    );
  });

const BOUNDED: typeof SCHEMAS = [
  [{ type: 'string' }, ['""', '"abcd"'], ['"abcde"']],
  [{ type: 'string', maxLength: 9 }, ['"abcd"'], ['"abcde"']],
  [{ type: 'string', minLength: 5, maxLength: 9 }, ['"abcde"'], ['"abcd"', '"abcdef"']],
  [{ type: 'array', items: { type: 'integer' } }, ['[]', '[1,2]'], ['[1,2,3]']],
  [{ type: 'array', items: { type: 'integer' }, minItems: 3 }, ['[1,2,3]'], ['[1,2]', '[1,2,3,4]']],
  [
    { type: 'object', additionalProperties: { type: 'null' } },
    ['{"a":null,"b":null}'],
    ['{"a":1}', '{"a":null,"b":null,"c":null}'],
  ],
  [{ prefixItems: [{}, {}, {}] }, ['[1,2,3]'], ['[1,2]']],
  [{}, ['1', '{"a":1,"b":"abcd"}', '[null,true]'], ['"abcde"', '[1,2,3]', '[[1]]', '{"a":{"b":1}}']],
];

for (const [schema, valid, invalid] of BOUNDED)
  test(`bounded: ${JSON.stringify(schema)}`, async () => {
    const accepts = await acceptor(jsonSchemaGrammar(schema, 'schema', { charactersMax: 4, itemsMax: 2 }));
    for (const text of valid) assert.ok(accepts(text), text);
    for (const text of invalid) assert.ok(!accepts(text), text);
  });

test('too deep, too wide and endless schemas are refused, and quickly', async () => {
  const deep = (levels: number): object => (levels === 0 ? {} : { type: 'array', items: deep(levels - 1) });
  assert.throws(() => jsonSchemaGrammar(deep(60), 'schema'), /levels/);
  await acceptor(jsonSchemaGrammar(deep(30), 'schema'));
  const properties = Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`p${index}`, { type: 'string' }]));
  assert.throws(() => jsonSchemaGrammar({ properties }, 'schema'), /too large a schema/);
  for (const endless of [
    { $ref: '#' },
    { anyOf: [{ type: 'null' }, { $ref: '#' }] },
    { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
  ])
    assert.throws(() => jsonSchemaGrammar(endless, 'schema'), /no finite value/);
  // Many optional properties: a grammar that spelt out all combinations would have 2^60 of them.
  const some = Object.fromEntries(Object.entries(properties).slice(0, 60));
  const accepts = await acceptor(jsonSchemaGrammar({ properties: some }, 'schema'));
  assert.ok(accepts('{"p0":"","p59":"x"}'));
});

test('an object, and a function call', async () => {
  const anyObject = await acceptor(jsonObjectGrammar());
  assert.ok(anyObject('{"a": {"b": [1]}}'));
  assert.ok(!anyObject('[1]'));
  const call = toolCallGrammar(
    [
      {
        name: 'add',
        parameters: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
        path: 'tools.0',
      },
      { name: 'now', parameters: { type: 'object', additionalProperties: false }, path: 'tools.1' },
    ],
    { before: '"<"', after: '">"' },
  );
  const accepts = await acceptor(call);
  assert.ok(accepts('<{"name": "add", "arguments": {"a": 12}}>'));
  assert.ok(accepts('<{"name": "now", "arguments": {}}>'));
  assert.ok(!accepts('<{"name": "now", "arguments": {"a": 12}}>'));
  assert.ok(!accepts('<{"name": "sub", "arguments": {}}>'));
});
