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
  const counts = createCounts(rules, item);
  if (most === undefined) return least === 0 ? `${item}*` : `${counts.exactly(least)} ${item}*`;
  if (most === 0) return '""';
  if (most <= WRITTEN_OUT_MAX) return `${item}{${least},${most}}`;
  const rest = most - least;
  const parts = [...(least === 0 ? [] : [counts.exactly(least)]), ...(rest === 0 ? [] : [counts.upTo(rest)])];
  return parts.join(' ');
}

/** Each count is made once: halves and rests of a long one are the same again and again. */
function createCounts(rules: GbnfRules, item: string) {
  const whole = new Map<number, string>();
  const less = new Map<number, string>();
  const exactly = (count: number): string => {
    const known = whole.get(count);
    if (known !== undefined) return known;
    const half = () => rules.add('e', exactly(Math.floor(count / 2)));
    const made =
      count <= WRITTEN_OUT_MAX ? `${item}{${count}}` : `${half()} ${half()}${count % 2 === 0 ? '' : ` ${item}`}`;
    whole.set(count, made);
    return made;
  };
  /** None to `count`: fewer than the largest power of two in it, or that power and none to the rest. */
  const upTo = (count: number): string => {
    if (count <= WRITTEN_OUT_MAX) return `${item}{0,${count}}`;
    const known = less.get(count);
    if (known !== undefined) return known;
    let power = WRITTEN_OUT_MAX + 1;
    while (power * 2 <= count) power *= 2;
    const fewer = rules.add('u', upTo(power - 1));
    const all = rules.add('e', exactly(power));
    const rest = count - power;
    const made = `(${rest === 0 ? all : `${all} ${rules.add('u', upTo(rest))}`} | ${fewer})`;
    less.set(count, made);
    return made;
  };
  return { exactly, upTo };
}
