/** What the fake provider says in a chat in place of numbered tokens. */
export interface Speech {
  readonly says?: string;
  /** Functions that it calls, with the arguments as it writes them. */
  readonly calls?: readonly { readonly name: string; readonly arguments: string }[];
}

/** A speech as a whole message and as the deltas of a stream: JSON texts, each delta worth one token. */
export interface Said {
  readonly message: string;
  readonly deltas: readonly string[];
  readonly finish: 'stop' | 'tool_calls';
}

const PIECE_CHARACTERS = 5;

/** As OpenAI cuts it: a call begins with its id and name, its arguments follow in pieces that are no JSON by themselves. */
export function said({ says, calls }: Speech): Said | undefined {
  if (says === undefined && calls === undefined) return undefined;
  const whole = (calls ?? []).map((call, index) => ({ id: `call_fake${index}`, type: 'function', function: call }));
  const deltas: object[] = [{ role: 'assistant', content: says === undefined ? null : '' }];
  for (const content of pieces(says ?? '')) deltas.push({ content });
  for (const [index, { id, type, function: call }] of whole.entries()) {
    deltas.push({ tool_calls: [{ index, id, type, function: { name: call.name, arguments: '' } }] });
    for (const piece of pieces(call.arguments))
      deltas.push({ tool_calls: [{ index, function: { arguments: piece } }] });
  }
  return {
    message: JSON.stringify({
      role: 'assistant',
      content: says ?? null,
      ...(calls === undefined ? {} : { tool_calls: whole }),
      refusal: null,
    }),
    deltas: deltas.map(delta => JSON.stringify(delta)),
    finish: calls === undefined ? 'stop' : 'tool_calls',
  };
}

/** By characters, so that none is cut in half. */
function pieces(text: string): readonly string[] {
  const characters = [...text];
  return Array.from({ length: Math.ceil(characters.length / PIECE_CHARACTERS) }, (_, index) =>
    characters.slice(index * PIECE_CHARACTERS, (index + 1) * PIECE_CHARACTERS).join(''),
  );
}
