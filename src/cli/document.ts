import { readFileSync } from 'node:fs';
import { configSchema } from '@millrace/contract';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import * as z from 'zod';
import { Fault } from '../std/index.ts';

/**
 * Reads a configuration file, puts in `${VARIABLES}` of this shell, and checks it. Throws Fault `config_invalid` with the place:
 * `millrace.yaml:4:14: models[0].prices[0].inputPerM: "4x" is not a decimal number`.
 */
export function readConfigFile(
  file: string,
  { env, lang }: { readonly env: Readonly<Record<string, string | undefined>>; readonly lang: 'en' | 'zh' },
): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const why =
      cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
        ? ['there is no such file', '文件不存在']
        : ['cannot be read', '无法读取'];
    throw new Fault('config_invalid', { message: `${file}: ${why[0]}`, messageZh: `${file}：${why[1]}`, cause });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [error] = document.errors;
  if (error) {
    const [words = ''] = error.message.split('\n');
    const message = `${at(error.pos[0])}: ${words.replace(/ at line \d+, column \d+:?$/, '')}`;
    throw new Fault('config_invalid', { message, messageZh: message });
  }
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string') node.value = interpolate(node.value, env, () => at(node.range?.[0] ?? 0));
    },
  });
  const value: unknown = document.toJS() ?? {};
  const result = configSchema.safeParse(value, lang === 'zh' ? { error: z.locales.zhCN().localeError } : undefined);
  if (result.success) return value;
  const [issue] = result.error.issues;
  const path = issue?.path ?? [];
  const unknownKey = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const place = at(offsetOf(document.contents, unknownKey === undefined ? path : [...path, unknownKey]));
  const shown = path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`))
    .join('');
  const zh = issue?.code === 'custom' && typeof issue.params?.['zh'] === 'string' ? issue.params['zh'] : issue?.message;
  throw new Fault('config_invalid', {
    message: `${place}: ${shown === '' ? '' : `${shown}: `}${issue?.message}`,
    messageZh: `${place}：${shown === '' ? '' : `${shown}：`}${zh}`,
  });
}

/** Where the node at a path begins; where the path leads nowhere, the last node on it. */
function offsetOf(root: unknown, path: readonly PropertyKey[]): number {
  let node: unknown = root;
  let offset = 0;
  for (const part of path) {
    const start = (node as Node | null)?.range?.[0];
    if (start !== undefined) offset = start;
    if (isMap(node)) {
      const pair = node.items.find(item => isScalar(item.key) && item.key.value === part);
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) node = node.items[Number(part)];
    else return offset;
  }
  return (node as Node | null)?.range?.[0] ?? offset;
}

/** `${NAME}`, `${NAME:-otherwise}`; `$${` is a plain `${`. */
function interpolate(text: string, env: Readonly<Record<string, string | undefined>>, place: () => string): string {
  return text.replace(
    /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (all, name: string | undefined, otherwise: string | undefined) => {
      if (name === undefined) return all.slice(1);
      const value = env[name] ?? otherwise;
      if (value === undefined)
        throw new Fault('config_invalid', {
          message: `${place()}: the environment variable ${name} is not set`,
          messageZh: `${place()}：环境变量 ${name} 未设置`,
        });
      return value;
    },
  );
}
