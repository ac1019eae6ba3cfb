import { FIELD_LINE, fieldValue } from '../../ground/std/index.ts';
import type { RequestHead } from '../server/index.ts';

/** All fields of a head, names in lower case, in their order. For what is asked rarely: the head itself knows what is asked often. */
export function fieldsOf({ text }: RequestHead): [name: string, value: string][] {
  return text
    .split('\r\n')
    .slice(1)
    .map(line => {
      const [, name = '', value = ''] = FIELD_LINE.exec(line) ?? [];
      return [name.toLowerCase(), fieldValue(value, 0, value.length)];
    });
}
