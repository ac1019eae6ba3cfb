/**
 * Sums that grow for as long as a database lives reach the end of int64 (9.2e18) some day. They are kept in two columns: `carry`
 * counts how often the other one came to this, and both have the sign of the sum. What is compared in a condition of SQL stays small
 * by other means, and has no carry.
 */
export const CARRY = 10n ** 18n;

export const joinCarry = (low: bigint, carry: bigint): bigint => carry * CARRY + low;

/** What is added to both columns, so that each is in range however large the change is. */
export const splitCarry = (value: bigint): readonly [low: bigint, carry: bigint] => [value % CARRY, value / CARRY];
