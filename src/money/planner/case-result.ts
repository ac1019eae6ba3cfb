/** `verified`: the figure stands in its source. `derived`: arithmetic on cited figures. `unverified`: no source reached; never a claim. */
export type RowStatus = 'verified' | 'derived' | 'unverified';

export interface Words {
  readonly en: string;
  readonly zh: string;
}

export interface CaseRow {
  /** Stable name, snake case. */
  readonly name: string;
  readonly label: Words;
  readonly unit: string;
  readonly expected: number;
  readonly computed: number;
  readonly errorPct: number;
  readonly tolerancePct: number;
  readonly source: string;
  readonly status: RowStatus;
}

export interface WaterfallStep {
  readonly label: Words;
  readonly value: number;
}

export interface CaseResult {
  readonly id: string;
  readonly title: Words;
  readonly rows: readonly CaseRow[];
  /** What the rows mean, a sentence each. */
  readonly findings: readonly Words[];
  /** Steps from one figure to another, for a plot; `unit` is their unit. */
  readonly waterfall?: { readonly title: Words; readonly unit: string; readonly steps: readonly WaterfallStep[] };
}

type RowInput = Omit<CaseRow, 'errorPct'>;

/** A row with its error in percent of the expected figure; of the computed one where nothing was expected. */
export function row(input: RowInput): CaseRow {
  const { expected, computed } = input;
  const base = Math.abs(expected === 0 ? computed : expected);
  return { ...input, errorPct: base === 0 ? 0 : ((computed - expected) / base) * 100 };
}

/** What one row is held against; the name is its key. */
export type Expectation = Omit<CaseRow, 'name' | 'computed' | 'errorPct'>;

/** Rows in the order of their expectations; the compiler asks for a computed figure for each. */
export function fill<Name extends string>(
  expectations: Readonly<Record<Name, Expectation>>,
  computed: Readonly<Record<Name, number>>,
): readonly CaseRow[] {
  const rows: CaseRow[] = [];
  for (const name in expectations) rows.push(row({ name, ...expectations[name], computed: computed[name] }));
  return rows;
}

export function withinTolerance({ errorPct, tolerancePct }: CaseRow): boolean {
  // A figure that must be exact is still a double on its way to JSON.
  return Math.abs(errorPct) <= tolerancePct + 1e-9;
}

/** A case holds when every verified row does; derived and unverified rows inform. */
export function caseHolds(result: CaseResult): boolean {
  return result.rows.every(candidate => candidate.status !== 'verified' || withinTolerance(candidate));
}

/** The shape that machines read; fixed. */
export interface CaseReport {
  readonly case: string;
  readonly ok: boolean;
  readonly rows: readonly Omit<CaseRow, 'label'>[];
}

export function caseReport(result: CaseResult): CaseReport {
  return {
    case: result.id,
    ok: caseHolds(result),
    rows: result.rows.map(({ name, unit, expected, computed, errorPct, tolerancePct, source, status }) => ({
      name,
      unit,
      expected: rounded(expected),
      computed: rounded(computed),
      errorPct: rounded(errorPct),
      tolerancePct,
      source,
      status,
    })),
  };
}

/** Ten significant digits: what a double keeps through these sums. */
function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(10)) : value;
}
