// Writes the reference pages that are generated: `node tools/run.mjs --dev script tools/docs.ts`. A test holds them in sync.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { FAULTS } from '../contract/src/index.ts';
import { helpText } from '../src/cli/words.ts';

const root = resolve(import.meta.dirname, '..');

/** Path below the repository → text. */
export function referencePages(): ReadonlyMap<string, string> {
  const pages = new Map<string, string>();
  for (const lang of ['en', 'zh'] as const) {
    const zh = lang === 'zh';
    const rows = Object.entries(FAULTS).map(
      ([code, { status, owner, retry, title }]) => `| \`${code}\` | ${status} | ${owner} | ${retry} | ${title[lang]} |`,
    );
    const head = zh ? '| 代码 | 状态码 | 责任方 | 重试 | 含义 |' : '| code | status | owner | retry | meaning |';
    pages.set(
      `docs/${lang}/reference/faults.md`,
      `# ${zh ? '错误码' : 'Faults'}\n\n${head}\n|---|---|---|---|---|\n${rows.join('\n')}\n`,
    );
    pages.set(
      `docs/${lang}/reference/cli.md`,
      `# ${zh ? '命令行' : 'Command line'}\n\n\`\`\`text\n${helpText(lang)}\n\`\`\`\n`,
    );
  }
  return pages;
}

if (process.argv[1] === import.meta.filename) {
  for (const [path, text] of referencePages()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
