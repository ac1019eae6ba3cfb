import type { Change } from '@millrace/contract';

export type Field = Change['fields'][number];
/** An object as people compare it: field → text; null or absent: not there. Secrets never enter. */
export type Shown = Readonly<Record<string, string | null>>;

/** What differs between two states of an object, in the order of the fields; fields that went away come last. */
export function differences(from: Shown, to: Shown): Field[] {
  const names = [...new Set([...Object.keys(to), ...Object.keys(from)])];
  return names.flatMap(field => {
    const [was, is] = [from[field] ?? null, to[field] ?? null];
    return was === is ? [] : [{ field, from: was, to: is }];
  });
}

/** `before` is undefined where the object is new. */
export function changeOf(
  kind: Change['kind'],
  id: string,
  { before, fields }: { readonly before: Shown | undefined; readonly fields: readonly Field[] },
): Change {
  const action = before === undefined ? 'created' : fields.length > 0 ? 'changed' : 'unchanged';
  return { kind, id, action, fields: [...fields] };
}
