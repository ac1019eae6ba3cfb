/** Where a `/` begins a regular expression and no division: after these, or a word that takes a value. */
const BEFORE_REGEX = /(?:[(,=:[!&|?{};+\-*%<>~^\n]|\b(?:return|case|typeof|in|of|void|throw|await))\s*$/;

/**
 * A source with its comments, and the insides of its texts and regular expressions, as blanks: rules about code must not stumble
 * over words. Lines and columns stay. No parser: of TypeScript 7 none can be had as a library.
 */
export function codeOnly(text: string): string {
  let out = '';
  /** Open braces of each template literal that we are inside of. */
  const templates: number[] = [];
  const blank = (end: number, from: number) => {
    out += text.slice(from, end).replace(/[^\n]/g, ' ');
    return end;
  };
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    const two = text.slice(at, at + 2);
    if (two === '//') at = blank(endOf(text, '\n', at), at);
    else if (two === '/*') at = blank(endOf(text, '*/', at + 2) + 2, at);
    else if (char === "'" || char === '"') at = closed(text, { from: at, close: char, out: part => (out += part) });
    else if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop();
      const end = templateEnd(text, at + 1);
      out += char;
      at = blank(end, at + 1);
      if (text.charAt(at) === '$') {
        templates.push(0);
        out += '${';
        at += 2;
      } else if (at < text.length) {
        out += '`';
        at++;
      }
    } else if (char === '/' && BEFORE_REGEX.test(out.slice(-80))) at = closedRegex(text, at, part => (out += part));
    else {
      if (templates.length > 0 && (char === '{' || char === '}'))
        templates[templates.length - 1] = (templates.at(-1) ?? 0) + (char === '{' ? 1 : -1);
      out += char;
      at++;
    }
  }
  return out;
}

function endOf(text: string, mark: string, from: number): number {
  const end = text.indexOf(mark, from);
  return end < 0 ? text.length : end;
}

function closed(
  text: string,
  { from, close, out }: { readonly from: number; readonly close: string; readonly out: (part: string) => void },
): number {
  let at = from + 1;
  while (at < text.length && text.charAt(at) !== close && text.charAt(at) !== '\n')
    at += text.charAt(at) === '\\' ? 2 : 1;
  out(close + ' '.repeat(Math.max(0, at - from - 1)) + close);
  return at + 1;
}

function closedRegex(text: string, from: number, out: (part: string) => void): number {
  let at = from + 1;
  let inClass = false;
  while (at < text.length && text.charAt(at) !== '\n' && (inClass || text.charAt(at) !== '/')) {
    const char = text.charAt(at);
    if (char === '[') inClass = true;
    if (char === ']') inClass = false;
    at += char === '\\' ? 2 : 1;
  }
  out(`/${' '.repeat(Math.max(0, at - from - 1))}/`);
  return at + 1;
}

/** Where the text of a template literal stops: at its end, or at the next `${`. */
function templateEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charAt(at) !== '`' && text.slice(at, at + 2) !== '${')
    at += text.charAt(at) === '\\' ? 2 : 1;
  return Math.min(at, text.length);
}
