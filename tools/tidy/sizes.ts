import type { Finding, Source } from './source.ts';

const LINES_MAX = 400;
const TEST_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;

export function fileSizes(sources: readonly Source[]): readonly Finding[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - 1;
    const most = path.endsWith('.test.ts') ? TEST_LINES_MAX : LINES_MAX;
    if (lines <= most) return [];
    return [{ rule: 'file size', subject: path, size: lines, message: `${lines} lines, ${most} at most` }];
  });
}

const FUNCTION =
  /^(?:export )?(?:async )?function\*? (\w+)|^(?:export )?const (\w+)\b[^\n]*(?:=>|function\b[^\n]*) \{$/;

/** Functions of a file's top level, by how the formatter lays them out: their end is a brace in the first column. */
export function functionSizes(sources: readonly Source[]): readonly Finding[] {
  return sources.flatMap(({ path, code }) => {
    const lines = code.split('\n');
    return lines.flatMap((line, start) => {
      const [, declared, named] = FUNCTION.exec(line) ?? [];
      const name = declared ?? named;
      if (name === undefined) return [];
      const size = endOf(lines, start) - start + 1;
      if (size <= FUNCTION_LINES_MAX) return [];
      const message = `${name} has ${size} lines, ${FUNCTION_LINES_MAX} at most`;
      return [{ rule: 'function size', subject: `${path}#${name}`, line: start + 1, size, message }];
    });
  });
}

/** The line of the brace that ends it; `}: Options): Result {` ends only the parameters. */
function endOf(lines: readonly string[], start: number): number {
  for (let at = start; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (at > start && /^[}\])]/.test(line) && !/\{$/.test(line)) return at;
    if (at === start && /\}$/.test(line) && !/\{\}$/.test(line)) return at;
  }
  return lines.length - 1;
}
