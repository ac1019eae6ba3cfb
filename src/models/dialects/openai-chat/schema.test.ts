// The hand-checked decoder against a schema of the same rules: both take a request, or both refuse it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { Fault } from '../../../ground/std/index.ts';
import type { Operation } from '../codec.ts';
import { openaiChat } from './index.ts';

const whole = (least: number, most: number) => z.int().min(least).max(most).nullish();
const limit = whole(1, 10_000_000);
const searchObject = z.union([z.looseObject({ enable: z.literal(false) }), z.looseObject({ mode: z.literal('off') })]);
const off = z.union([z.literal(false), z.tuple([]), searchObject]).nullish();
const tokens = z
  .array(
    z
      .int()
      .min(0)
      .max(2 ** 31 - 1),
  )
  .min(1);
const texts = (most: number) =>
  z.union([z.string(), z.array(z.string()).min(1).max(most), tokens, z.array(tokens).min(1).max(most)]);

const common = {
  model: z.string().min(1).max(256),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  service_tier: z.enum(['auto', 'default', 'on_demand', 'standard']).nullish(),
  web_search_options: off,
  search_parameters: off,
  web_search: off,
  enable_search: off,
  plugins: off,
};
const generation = {
  max_tokens: limit,
  max_completion_tokens: limit,
  n: whole(1, 128),
  best_of: whole(1, 128),
  top_logprobs: whole(0, 100),
  temperature: z.number().min(0).max(2).nullish(),
};
const textOnly = z.unknown().refine(value => !Array.isArray(value) || value.every(item => item === 'text'));
const isOwnTool = (tool: unknown) =>
  typeof tool !== 'object' || tool === null || !('type' in tool) || tool.type === 'function' || tool.type === 'custom';
const ownTools = z.unknown().refine(value => !Array.isArray(value) || value.every(isOwnTool));

const media = z.looseObject({ type: z.unknown().optional() }).refine(part => {
  const { type, image_url: image, file } = part;
  if (
    typeof type === 'string' &&
    ['text', 'refusal', 'thinking', 'reasoning', 'input_text', 'output_text', 'summary_text'].includes(type)
  )
    return true;
  if (part['file_id'] !== undefined) return false;
  if (typeof file === 'object' && file !== null && 'file_id' in file) return false;
  if (type !== 'image_url' && type !== 'input_image') return true;
  const url = typeof image === 'object' && image !== null && 'url' in image ? image.url : image;
  return typeof url !== 'string' || /^(data:|https?:\/\/)/i.test(url);
});
const message = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(z.union([z.string(), media]))]).nullish(),
});

const SCHEMAS = {
  chat: z.looseObject({
    ...common,
    ...generation,
    messages: z.array(message).min(1),
    tools: z.array(z.unknown().refine(isOwnTool)).nullish(),
    modalities: textOnly.optional(),
  }),
  completions: z.looseObject({
    ...common,
    ...generation,
    prompt: texts(128),
    logprobs: whole(0, 100),
    modalities: textOnly.optional(),
    tools: ownTools.optional(),
  }),
  embeddings: z.looseObject({
    ...common,
    stream: z.literal(false).nullish(),
    input: texts(2_048),
    dimensions: whole(1, 1_000_000),
    modalities: textOnly.optional(),
    tools: ownTools.optional(),
  }),
} as const satisfies Record<Operation, z.ZodType>;

/** Mostly right, at times anything: what both must tell apart is near the border. */
const near = (right: fc.Arbitrary<unknown>) =>
  fc.oneof(
    { weight: 12, arbitrary: right },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        null,
        0,
        1,
        -1,
        1.5,
        129,
        2 ** 53,
        '',
        'x',
        '5',
        true,
        false,
        [],
        {},
        [null],
        [{}],
        ['x'],
        [1],
        [[]],
        [[1]],
        { url: 'x' },
      ),
    },
  );
const counts = near(fc.constantFrom(1, 2, 100, 128, 129, 10_000_000, 10_000_001, 0));
const part = near(
  fc.record(
    {
      type: near(fc.constantFrom('text', 'image_url', 'input_image', 'file', 'input_audio', 'x')),
      text: near(fc.string()),
      image_url: near(
        fc.oneof(
          fc.constantFrom('data:x', 'http://x', 'ms://x'),
          fc.record({ url: fc.constantFrom('data:x', 'HTTPS://x', 'ms://x', 'x') }),
        ),
      ),
      file: near(fc.record({ file_data: fc.constant('data:x'), file_id: fc.constant('f') }, { requiredKeys: [] })),
      file_id: fc.constant('f'),
    },
    { requiredKeys: [] },
  ),
);
const fields = {
  stream: near(fc.boolean()),
  stream_options: near(fc.record({ include_usage: near(fc.boolean()), other: fc.string() }, { requiredKeys: [] })),
  service_tier: near(fc.constantFrom('auto', 'default', 'priority')),
  web_search_options: near(fc.constant(null)),
  search_parameters: near(fc.constantFrom({ mode: 'off' }, { mode: 'on' })),
  web_search: near(fc.constantFrom({ enable: false }, { enable: true })),
  enable_search: near(fc.constant(false)),
  plugins: near(fc.constant([])),
  max_tokens: counts,
  max_completion_tokens: counts,
  n: counts,
  best_of: counts,
  top_logprobs: counts,
  logprobs: counts,
  dimensions: counts,
  temperature: near(fc.constantFrom(0, 0.5, 2, 2.0001, -0.1)),
  modalities: near(fc.constantFrom(['text'], ['text', 'audio'])),
  tools: near(
    fc.array(near(fc.record({ type: fc.constantFrom('function', 'custom', 'web_search') })), { maxLength: 3 }),
  ),
};
const required = {
  model: near(fc.constantFrom('m', 'x'.repeat(256), 'x'.repeat(257))),
  messages: near(
    fc.array(
      near(
        fc.record(
          { role: near(fc.constant('user')), content: near(fc.oneof(fc.string(), fc.array(part, { maxLength: 3 }))) },
          { requiredKeys: ['role'] },
        ),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  ),
  prompt: near(
    fc.oneof(
      fc.string(),
      fc.array(fc.string(), { minLength: 1 }),
      fc.array(fc.nat(), { minLength: 1 }),
      fc.array(fc.array(fc.nat(), { minLength: 1 }), { minLength: 1 }),
    ),
  ),
  input: near(
    fc.oneof(fc.string(), fc.array(near(fc.string()), { minLength: 1 }), fc.array(near(fc.nat()), { minLength: 1 })),
  ),
};

for (const operation of ['chat', 'completions', 'embeddings'] as const) {
  test(`${operation}: decoder and schema agree`, () => {
    let [taken, refused] = [0, 0];
    // Few of the optional fields at once, so that about half of the requests are right.
    const some = fc.subarray(Object.keys(fields) as (keyof typeof fields)[], { maxLength: 4 });
    const body = fc.tuple(
      fc.record(required, { requiredKeys: ['model', 'messages', 'prompt', 'input'] }),
      fc.record(fields),
      some,
    );
    fc.assert(
      fc.property(body, ([base, optional, names]) => {
        const request = { ...base, ...Object.fromEntries(names.map(name => [name, optional[name]])) };
        // As it comes over the wire, which knows no undefined.
        const text = JSON.stringify(request);
        const expected = SCHEMAS[operation].safeParse(JSON.parse(text)).success;
        assert.equal(takes(operation, text), expected, text);
        if (expected) taken += 1;
        else refused += 1;
      }),
      { numRuns: 4_000 },
    );
    assert.ok(taken > 400 && refused > 400, `${taken} taken, ${refused} refused: both sides must be tried`);
  });
}

function takes(operation: Operation, text: string): boolean {
  try {
    openaiChat.decodeRequest(operation, Buffer.from(text));
    return true;
  } catch (error) {
    assert.ok(error instanceof Fault && error.status === 400 && error.details.param !== undefined);
    return false;
  }
}
