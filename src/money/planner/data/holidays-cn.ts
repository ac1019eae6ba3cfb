// Public holidays of mainland China, whole days. Source: notices of the General Office of the State Council on holiday arrangements,
// for 2025 (国办发明电〔2024〕12号, 2024-11-12) and 2026 (国办发明电〔2025〕7号, 2025-11-04). Later years: add them when they are announced.
const RANGES: readonly (readonly [first: string, days: number])[] = [
  ['2025-01-01', 1],
  ['2025-01-28', 8],
  ['2025-04-04', 3],
  ['2025-05-01', 5],
  ['2025-05-31', 3],
  ['2025-10-01', 8],
  ['2026-01-01', 3],
  ['2026-02-15', 9],
  ['2026-04-04', 3],
  ['2026-05-01', 5],
  ['2026-06-19', 3],
  ['2026-09-25', 3],
  ['2026-10-01', 7],
];

const daysFrom = ([first, days]: readonly [string, number]): readonly string[] =>
  Array.from({ length: days }, (_, day) =>
    new Date(Date.parse(`${first}T00:00:00Z`) + day * 86_400_000).toISOString().slice(0, 10),
  );

export const HOLIDAYS_CN: ReadonlySet<string> = new Set(RANGES.flatMap(daysFrom));
