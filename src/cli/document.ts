import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type ConfigIssue, pathText } from '@millrace/contract';
import {
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type YAMLParseError,
  type YAMLWarning,
} from 'yaml';
import type { Environment } from '../config.ts';
import type { Lang, Words } from '../control/index.ts';
import { Fault } from '../ground/std/index.ts';
import { readText } from './read-text.ts';

export interface ConfigFile {
  /** The document, with variables put in and paths of engines made absolute. */
  readonly value: unknown;
  /** One line each, in the order of the file: `millrace.yaml:4:14: models[0].prices[0].inputPerM: "4x" is not a price: …` */
  locate(issues: readonly ConfigIssue[], lang: Lang): string;
}

/** The parser speaks English only; what people meet most, by its error codes. */
const SYNTAX_ZH: Readonly<Record<string, string>> = {
  BAD_INDENT: '缩进有误',
  TAB_AS_INDENT: '不能用制表符缩进',
  DUPLICATE_KEY: '同一处出现了重复的键',
  MISSING_CHAR: '缺少字符',
  UNEXPECTED_TOKEN: '此处内容不符合 YAML 语法',
  MULTILINE_IMPLICIT_KEY: '键不能跨行',
  BLOCK_AS_IMPLICIT_KEY: '此处不能嵌套键值',
  BAD_ALIAS: '别名没有对应的锚点',
  TAG_RESOLVE_FAILED: '不支持的标签',
};

/** Where the parser's own words speak to programmers, or of its insides. */
const SYNTAX: Readonly<Record<string, Words>> = {
  MULTIPLE_DOCS: { en: 'a second document begins here: one is taken', zh: '此处开始了第二个文档：只接受一个' },
  RESOURCE_EXHAUSTION: { en: 'nested too deeply', zh: '嵌套过深' },
  NON_STRING_KEY: { en: 'a key must be plain text', zh: '键必须是纯文本' },
};

/**
 * Reads a configuration file, YAML or JSON, and puts in `${VARIABLES}` of this shell: they are known here, and not to the
 * server. Throws Fault `config_invalid` with the place: `millrace.yaml:2:51: the environment variable KEY is not set`.
 */
export function readConfigFile(file: string, env: Environment): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, uniqueKeys: true, stringKeys: true });
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  // What it only warns of, a tag that it does not know, would be passed over.
  const [error] = [...document.errors, ...document.warnings];
  if (error) throw syntaxFault(error, placeOf(error.pos[0]));
  visit(document, {
    Alias(_key, node, ancestors) {
      const place = placeOf(node.range?.[0] ?? 0);
      const target = node.resolve(document);
      if (!target)
        throw invalid(
          `${place}: nothing before it is marked &${node.source}`,
          `${place}：此前没有标记为 &${node.source} 的内容`,
        );
      if (ancestors.some(ancestor => ancestor === target))
        throw invalid(`${place}: &${node.source} contains itself`, `${place}：&${node.source} 包含了它自己`);
    },
    Scalar(_key, node) {
      if (typeof node.value === 'string')
        node.value = interpolate(node.value, env, () => placeOf(node.range?.[0] ?? 0));
    },
  });
  const value = unfolded(document, file);
  return {
    value: withAbsoluteFiles(value, dirname(resolve(file))),
    locate(issues, lang) {
      const colon = lang === 'zh' ? '：' : ': ';
      return issues
        .map(({ path, message }) => {
          const offset = offsetOf(document.contents, path);
          const shown = pathText(path);
          return { offset, line: `${placeOf(offset)}${colon}${shown === '' ? '' : `${shown}${colon}`}${message}` };
        })
        .toSorted((a, b) => a.offset - b.offset)
        .map(({ line }) => line)
        .join('\n');
    },
  };
}

function syntaxFault(error: YAMLParseError | YAMLWarning, place: string): Fault {
  const own = SYNTAX[error.code];
  if (own) return invalid(`${place}: ${own.en}`, `${place}：${own.zh}`);
  const words = (error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
  return invalid(`${place}: ${words}`, `${place}：${SYNTAX_ZH[error.code] ?? 'YAML 语法错误'}（${words}）`);
}

/** The document as values. One that unfolds without end ("billion laughs") is refused. */
function unfolded(document: { toJS(options: { readonly maxAliasCount: number }): unknown }, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch {
    throw invalid(`${file}: its aliases unfold to too much`, `${file}：别名展开后内容过多`);
  }
}

/** Where the node at a path begins; where the path leads nowhere, the last thing on it: the place where something is missing. */
function offsetOf(root: unknown, path: readonly (string | number)[]): number {
  let node = root;
  let offset = 0;
  for (const part of path) {
    if (isNode(node) && node.range) offset = node.range[0];
    if (isMap(node)) {
      const pair = node.items.find(item => isScalar(item.key) && String(item.key.value) === String(part));
      if (!pair) return offset;
      if (isScalar(pair.key) && pair.key.range) offset = pair.key.range[0];
      node = pair.value;
    } else if (isSeq(node)) node = node.items[Number(part)];
    else return offset;
  }
  return isNode(node) && node.range ? node.range[0] : offset;
}

/** `${NAME}`, `${NAME:-otherwise}`; `$${` is a plain `${`. An empty variable counts as not set, as in a shell's `:-`. */
function interpolate(text: string, env: Environment, place: () => string): string {
  return text.replace(/\$\$\{|\$\{([^}]*)\}/g, (all, inside: string | undefined) => {
    if (inside === undefined) return '${';
    const [, name, otherwise] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside) ?? [];
    if (name === undefined)
      throw invalid(
        `${place()}: ${all} is not a variable: use \${NAME} or \${NAME:-default}, and $\${ for a plain \${`,
        `${place()}：${all} 不是变量：请写成 \${NAME} 或 \${NAME:-默认值}；如需字面的 \${，请写 $\${`,
      );
    const value = env[name] || otherwise;
    if (value === undefined)
      throw invalid(`${place()}: the environment variable ${name} is not set`, `${place()}：环境变量 ${name} 未设置`);
    return value;
  });
}

/** `engine.file` is meant from where the configuration stands, not from where the server runs. */
function withAbsoluteFiles(value: unknown, folder: string): unknown {
  if (Array.isArray(value)) return value.map(item => withAbsoluteFiles(item, folder));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key === 'engine' && isObject(inner)) {
        const file = inner['file'];
        if (typeof file === 'string' && file !== '' && !isAbsolute(file) && !file.startsWith('builtin:'))
          return [key, { ...inner, file: join(folder, file) }];
      }
      return [key, withAbsoluteFiles(inner, folder)];
    }),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function invalid(en: string, zh: string): Fault {
  return new Fault('config_invalid', { message: en, messageZh: zh });
}
