import type { CaseInput } from './case.ts';
import { type LoadShape, measureSide, type SideRun } from './measure-side.ts';
import type { Rig, SideName } from './rig.ts';

const WORD: Readonly<Record<SideName, { readonly en: string; readonly zh: string }>> = {
  engine: { en: 'mock engine', zh: '模拟引擎' },
  relay: { en: 'bare relay', zh: '裸转发' },
  nginx: { en: 'nginx', zh: 'nginx' },
  millrace: { en: 'Millrace', zh: 'Millrace' },
};

/** One round: each side once, in turn. */
export type Round = Readonly<Partial<Record<SideName, SideRun>>>;

/** A B A B …: what changes on the machine meanwhile meets all sides. Before the first round each side is warmed up with the same load. */
export async function runRounds(
  { children, say }: CaseInput,
  {
    rig,
    rounds,
    shape,
    warm,
  }: { readonly rig: Rig; readonly rounds: number; readonly shape: LoadShape; readonly warm: LoadShape['amount'] },
): Promise<readonly Round[]> {
  for (const side of rig.sides) await measureSide(children, side, { ...shape, amount: warm });
  const done: Round[] = [];
  for (let count = 1; count <= rounds; count++) {
    const round: Partial<Record<SideName, SideRun>> = {};
    for (const side of rig.sides) {
      const { en, zh } = WORD[side.name];
      say({ en: `  round ${count} of ${rounds}: ${en}`, zh: `  第 ${count}/${rounds} 轮：${zh}` });
      round[side.name] = await measureSide(children, side, shape);
    }
    done.push(round);
  }
  return done;
}

export function failuresOf(rounds: readonly Round[]): number {
  return rounds
    .flatMap(round => [round.engine, round.relay, round.nginx, round.millrace])
    .reduce((sum, run) => sum + (run?.failures ?? 0), 0);
}

/** Quotient within each round, where both sides met the same machine. */
export function ratio(over: number | undefined, under: number | undefined): number | undefined {
  return over === undefined || under === undefined || under === 0 ? undefined : over / under;
}
