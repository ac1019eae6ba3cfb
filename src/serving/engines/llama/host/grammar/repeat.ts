import type { GbnfRules } from './gbnf.ts';

/** llama.cpp writes `x{0,n}` out as n rules; up to here that is the cheapest. */
const WRITTEN_OUT_MAX = 32;

/**
 * `least` to `most` times `item`, which must not be able to be empty. A long count is put together of powers of two, each
 * total in one way only: rules and open alternatives grow with its logarithm, where llama.cpp's own `{m,n}` makes a rule for
 * each and refuses beyond 2,000.
 * @param most undefined: without end
 */
export function repeated(rules: GbnfRules, item: string, least: number, most: number | undefined): string {
  if (most === undefined) return least === 0 ? `${item}*` : `${exactly(rules, item, least)} ${item}*`;
  if (most === 0) return '""';
  if (most <= WRITTEN_OUT_MAX) return `${item}{${least},${most}}`;
  const rest = most - least;
  const parts = [
    ...(least === 0 ? [] : [exactly(rules, item, least)]),
    ...(rest === 0 ? [] : [upTo(rules, item, rest)]),
  ];
  return parts.join(' ');
}

function exactly(rules: GbnfRules, item: string, count: number): string {
  if (count <= WRITTEN_OUT_MAX) return `${item}{${count}}`;
  const half = rules.add('e', exactly(rules, item, Math.floor(count / 2)));
  return count % 2 === 0 ? `${half} ${half}` : `${half} ${half} ${item}`;
}

/** None to `count`: fewer than the largest power of two in it, or that power and none to the rest. */
function upTo(rules: GbnfRules, item: string, count: number): string {
  if (count <= WRITTEN_OUT_MAX) return `${item}{0,${count}}`;
  let power = WRITTEN_OUT_MAX + 1;
  while (power * 2 <= count) power *= 2;
  const fewer = rules.add('u', upTo(rules, item, power - 1));
  const whole = rules.add('e', exactly(rules, item, power));
  const rest = count - power;
  const more = rest === 0 ? whole : `${whole} ${rules.add('u', upTo(rules, item, rest))}`;
  return `(${more} | ${fewer})`;
}
