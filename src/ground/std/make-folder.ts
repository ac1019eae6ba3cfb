import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it that are missing, for their owner alone; returns what it made, outermost first. Not
 * `mkdir` with `recursive`: below /proc, where nothing can be made, it never returns (Node 26.10).
 */
export function makeFolder(path: string): readonly string[] {
  const missing: string[] = [];
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) {
    missing.unshift(at);
    at = dirname(at);
  }
  if (missing.length === 0 && !statSync(path).isDirectory()) mkdirSync(path);
  for (const folder of missing) mkdirSync(folder, { mode: 0o700 });
  return missing;
}
