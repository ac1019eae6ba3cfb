import { formatAmount } from '@millrace/contract';

/** The fields of a record by their names. */
export function recordView(value: object): object {
  const fields = Object.entries(value).map(([name, field]) => {
    if (typeof field === 'bigint') return [name.replace(/Nano$/, ''), formatAmount(field)];
    if (name === 'atMs' || name === 'expiresAtMs') return [name.replace(/Ms$/, ''), new Date(field).toISOString()];
    if (Array.isArray(field)) return [name, field.map(recordView)];
    return [name, field];
  });
  return Object.fromEntries(fields);
}
