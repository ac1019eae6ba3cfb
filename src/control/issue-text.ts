import * as z from 'zod';
import { nearest } from '../ground/std/index.ts';
import type { Words } from './language.ts';

/** One thing that is wrong with a value from outside: where, and a clause that follows the path. */
export interface Issue {
  readonly path: readonly (string | number)[];
  readonly words: Words;
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** Parses a value from outside. Unlike zod's own texts, issues are clauses in both languages and never repeat a secret. */
export function check<T extends z.ZodType>(schema: T, value: unknown): Checked<z.output<T>> {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, issues: parsed.error.issues.flatMap(issue => issuesOf(schema, issue)) };
}

type ZodIssue = z.core.$ZodIssue;

function issuesOf(schema: z.ZodType, issue: ZodIssue): Issue[] {
  const path = issue.path.map(part => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, path);
    return issue.keys.map(key => ({ path: [...path, key], words: unknownField(key, known) }));
  }
  return [{ path, words: clause(issue) }];
}

function unknownField(key: string, known: readonly string[]): Words {
  const meant = nearest(key, known);
  return {
    en: `is not a known field${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    zh: `不是已知字段${meant === undefined ? '' : `，是否想写 ${meant}？`}`,
  };
}

const EXPECTED: Readonly<Record<string, Words>> = {
  string: { en: 'must be text: put it in quotes', zh: '必须是文本：请加引号' },
  int: { en: 'must be a whole number', zh: '必须是整数' },
  number: { en: 'must be a number', zh: '必须是数字' },
  boolean: { en: 'must be true or false', zh: '必须是 true 或 false' },
  array: { en: 'must be a list', zh: '必须是列表' },
  object: { en: 'must be a group of fields', zh: '必须是一组字段' },
};

function clause(issue: ZodIssue): Words {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return { en: 'is missing', zh: '缺失' };
      if (issue.input === null) return { en: 'is empty', zh: '为空' };
      return EXPECTED[issue.expected] ?? { en: `must be ${issue.expected}`, zh: `必须是 ${issue.expected}` };
    case 'invalid_value': {
      const allowed = issue.values.map(String).join(', ');
      if (issue.input === undefined) return { en: 'is missing', zh: '缺失' };
      return issue.values.length === 1
        ? { en: `must be ${allowed}`, zh: `必须是 ${allowed}` }
        : { en: `must be one of ${allowed}`, zh: `必须是以下之一：${allowed}` };
    }
    case 'too_small':
      return bound(issue.origin, issue.minimum, 'least');
    case 'too_big':
      return bound(issue.origin, issue.maximum, 'most');
    case 'invalid_format':
      return { en: 'has the wrong format', zh: '格式不正确' };
    case 'custom': {
      const zh = issue.params?.['zh'];
      return { en: issue.message, zh: typeof zh === 'string' ? zh : issue.message };
    }
    default:
      return { en: issue.message, zh: issue.message };
  }
}

function bound(origin: string, limit: number | bigint, which: 'least' | 'most'): Words {
  const en = which === 'least' ? 'at least' : 'at most';
  const zh = which === 'least' ? '至少' : '至多';
  if (origin === 'array')
    return which === 'least'
      ? { en: `needs at least ${limit} ${limit === 1 ? 'entry' : 'entries'}`, zh: `至少需要 ${limit} 项` }
      : { en: `takes at most ${limit} entries`, zh: `最多 ${limit} 项` };
  if (origin === 'string')
    return limit === 1
      ? { en: 'is empty', zh: '为空' }
      : { en: `must have ${en} ${limit} characters`, zh: `${zh} ${limit} 个字符` };
  return { en: `must be ${en} ${limit}`, zh: `${zh}为 ${limit}` };
}

/** Names of the fields that the schema knows at a path. */
function fieldsAt(schema: z.core.$ZodType, path: readonly (string | number)[]): readonly string[] {
  let at: z.core.$ZodType | undefined = bare(schema);
  for (const part of path) {
    if (at instanceof z.ZodObject) at = at.shape[String(part)];
    else if (at instanceof z.ZodArray) at = at.element;
    else return [];
    at = at && bare(at);
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function bare(schema: z.core.$ZodType): z.core.$ZodType {
  let at = schema;
  while (at instanceof z.ZodDefault || at instanceof z.ZodOptional || at instanceof z.ZodExactOptional)
    at = at.def.innerType;
  return at;
}
