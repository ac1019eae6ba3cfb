/** Of a field (RFC 9110 §5.1, §5.5), as parts of patterns: a token, and visible text. No control characters, so no line folded or split within. */
export const FIELD_NAME = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
export const FIELD_TEXT = '[\\t\\x20-\\x7e\\x80-\\xff]*';
export const FIELD_LINE: RegExp = new RegExp(`^(${FIELD_NAME}):(${FIELD_TEXT})$`);

/** A field's value without the blanks around it: space and tab only, where `trim` takes the no-break space (0xa0) as well. */
export function fieldValue(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** Whether `connection` (RFC 9110 §7.6.1) names the option, which is given in lower case. */
export function hasConnectionOption(connection: string, option: string): boolean {
  const said = connection.toLowerCase();
  return said === option || said.split(',').some(each => fieldValue(each, 0, each.length) === option);
}
