import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** One thing has one Chinese word, in messages, help and pages alike: what stands on the left is said as on the right. */
export const GLOSSARY: readonly (readonly [instead: RegExp, word: string, thing: string])[] = [
  [/令牌|(?<![`\w./-])(?<=\p{Script=Han} ?)tokens?(?![\w/`])/u, '词元', 'token'],
  [/撤销|作废|注销/, '吊销', 'revoke a key'],
  [/秘钥|密匙|金钥/, '密钥', 'key'],
  [/提供商|厂商|服务商|提供方/, '供应商', 'provider'],
  [/布署|部属(?!于)/, '部署', 'deployment'],
  [/余额包|电子钱包|零钱/, '钱包', 'wallet'],
  [/帐/, '账', 'account, bill'],
  [/预扣|冻结/, '预留', 'hold'],
  [/[您妳]/, '你', 'you'],
];

const FOLDERS: readonly string[] = ['src', 'contract', 'sdk', 'console', 'bench', 'tools', 'docs', 'deploy', 'models'];
const PAGES: readonly string[] = ['README.md', 'README.zh.md', 'CONTRIBUTING.md', 'SECURITY.md'];
const SPOKEN = /\.(?:ts|tsx|mjs|js|md|html|css|ya?ml|svg)$/;
/** What others said, and what recognises it; tests quote both. */
const NOT_OURS =
  /\.test\.ts$|(?:^|\/)(?:node_modules|dist|fixtures|results)\/|dialects\/.*fault-decode\.ts$|^tools\/glossary\.ts$/;

export interface Speech {
  readonly path: string;
  readonly text: string;
}

/** Everything that people may read, from the root. */
export function readSpeech(root: string): readonly Speech[] {
  const inFolders = FOLDERS.filter(folder => existsSync(join(root, folder))).flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(name =>
      join(folder, name).replaceAll('\\', '/'),
    ),
  );
  return [...PAGES, ...inFolders]
    .filter(path => SPOKEN.test(path) && !NOT_OURS.test(path) && statSync(join(root, path)).isFile())
    .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** `docs/zh/nodes.md:18: 令牌: say 词元 (token)` */
export function otherWords(speech: readonly Speech[]): readonly string[] {
  return speech.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      if (!/\p{Script=Han}/u.test(line)) return [];
      // Names of fields and what is typed are no words.
      const said = path.endsWith('.md') ? line.replaceAll(/`[^`]*`/g, '``') : line;
      return GLOSSARY.flatMap(([instead, word, thing]) => {
        const found = instead.exec(said);
        return found ? [`${path}:${index + 1}: ${found[0]}: say ${word} (${thing})`] : [];
      });
    }),
  );
}
