import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { codeOnly } from './code-only.ts';

/** A file as the rules see it. */
export interface Source {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments and the insides of texts; the same lines. */
  readonly code: string;
  /** What it imports of ours, as paths from the root. */
  readonly imports: readonly string[];
  readonly isTest: boolean;
}

/** What one rule found in one place. */
export interface Finding {
  readonly rule: string;
  /** The file, or `file#function`: what a known debt is listed by. */
  readonly subject: string;
  readonly line?: number;
  readonly message: string;
  /** How much of it, where the rule is about a size. */
  readonly size?: number;
}

export const FOLDERS: readonly string[] = ['src', 'contract/src', 'test', 'bench', 'tools'];

export function sourceOf(path: string, text: string): Source {
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)].map(([, spec = '']) =>
    posix.join(posix.dirname(path), spec),
  );
  return { path, text, code: codeOnly(text), imports, isTest: /\.test\.ts$|-fixture\.ts$|^test\//.test(path) };
}

export function readSources(root: string): readonly Source[] {
  return FOLDERS.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts') && !name.includes('node_modules') && dirname(name) !== 'dist')
      .map(name => {
        const path = join(folder, name).replaceAll('\\', '/');
        return sourceOf(path, readFileSync(join(root, path), 'utf8'));
      }),
  );
}
