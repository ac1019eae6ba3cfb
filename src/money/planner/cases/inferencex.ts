import { type CaseResult, type CaseRow, row } from '../case-result.ts';
import { type CostRow, INFERENCEX } from '../data/case-facts.ts';
import { toMajor } from '../money.ts';
import { costPerMtok } from '../unit-cost.ts';

function rowsOf(series: CostRow): readonly CaseRow[] {
  const hourNano = BigInt(Math.round(series.usdPerHour * 1e9));
  const place = series.name.replaceAll('_', ' ').toUpperCase();
  return series.points.map(([speed, throughput, expected]) => {
    const at = speed > 0 ? ` @ ${speed} tok/s/user` : '';
    return row({
      name: speed > 0 ? `${series.name}_${speed}` : series.name,
      label: { en: `${place}${at}`, zh: `${place}${at}` },
      unit: 'USD/Mtok',
      expected,
      computed: toMajor(costPerMtok(hourNano, throughput)),
      tolerancePct: 10,
      source: `${series.source}; ${series.usdPerHour} USD/h ${series.rate}`,
      status: series.rate === 'published' ? 'verified' : 'derived',
    });
  });
}

/** Cost per million tokens from price per hour and throughput, over interactivity. */
export function inferencex(): CaseResult {
  return {
    id: 'inferencex',
    title: { en: 'Cost as a curve over interactivity', zh: '成本随交互速度变化的曲线' },
    rows: INFERENCEX.flatMap(rowsOf),
    findings: [
      {
        en: 'One GPU type costs eight times more per token at 164 tok/s per user than at 23: a cost without its interactivity says nothing.',
        zh: '同一种 GPU，每用户 164 词元/秒时的单位成本是 23 词元/秒时的八倍：不说明交互速度的成本没有意义。',
      },
      {
        en: "The site interpolates between measured points, hence the tolerance; whether its throughput counts input and output in every view is unverified, so it is not held against the planner's own curve.",
        zh: '网站在实测点之间做了插值，因此留有容差；其吞吐是否在所有视图中都包含输入与输出尚未核实，故不用来检验规划器自身的曲线。',
      },
    ],
  };
}
