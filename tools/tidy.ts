// The rules of the house: floors, circles, entrances, sizes, words. `node tools/tidy.ts` prints what breaks them and exits with 1;
// tools/tidy.test.ts holds the repository to them.
import { resolve } from 'node:path';
import { DEBTS } from './tidy/debts.ts';
import { reach } from './tidy/reach.ts';
import { fileSizes, functionSizes } from './tidy/sizes.ts';
import { type Finding, readSources, type Source } from './tidy/source.ts';
import { circles, entrances, floors, heads, names } from './tidy/structure.ts';
import { words } from './tidy/words.ts';

type Debts = typeof DEBTS;

/** All that breaks a rule, beyond the known debts; and the debts that are paid. */
export function tidy(sources: readonly Source[], debts: Debts = DEBTS): readonly Finding[] {
  const found = [floors, entrances, circles, reach, heads, names, fileSizes, functionSizes, words].flatMap(rule =>
    rule(sources),
  );
  const bySubject = Map.groupBy(found, ({ rule, subject }) => `${rule}\n${subject}`);
  const owed = (rule: string, subject: string) => debts[rule]?.[subject] ?? 0;
  const grown = [...bySubject.values()].flatMap(findings => {
    const [first] = findings;
    if (!first) return [];
    const much = first.size ?? findings.length;
    return much > owed(first.rule, first.subject) ? findings : [];
  });
  const paid = Object.entries(debts).flatMap(([rule, subjects]) =>
    Object.keys(subjects)
      .filter(subject => !bySubject.has(`${rule}\n${subject}`))
      .map(subject => ({ rule, subject, message: 'a debt that is paid: take it off tools/tidy/debts.ts' })),
  );
  return [...grown, ...paid];
}

export function findingText({ rule, subject, line, message }: Finding): string {
  const [path = '', name] = subject.split('#');
  return `${path}${line === undefined ? '' : `:${line}`}: ${rule}: ${message}${name === undefined || message.includes(name) ? '' : ` (${name})`}`;
}

if (process.argv[1] === import.meta.filename) {
  const found = tidy(readSources(resolve(import.meta.dirname, '..')));
  for (const finding of found) process.stdout.write(`${findingText(finding)}\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
