import { STATUS_CODES } from 'node:http';

/** Header names and values in turn: measured cheaper than an object. */
export type FlatHeaders = readonly string[];

const STATUS_LINES: ReadonlyMap<number, string> = new Map(
  Object.entries(STATUS_CODES).map(([status, reason]) => [Number(status), `HTTP/1.1 ${status} ${reason}\r\n`]),
);
/** No header text: whatever it is, it would end the line or hide in it. */
const NO_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** The first line and the headers, without the empty line. Throws where a value is none: whoever gave it would write our answer. */
export function answerHead(status: number, headers: FlatHeaders): string {
  let head = statusLine(status);
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const value = headers[at + 1] ?? '';
    if (NO_VALUE.test(value)) throw new TypeError(`no value for a header: ${headers[at]}`);
    head += `${headers[at]}: ${value}\r\n`;
  }
  return head;
}

/** An answer without a word: what is said to bytes that are no request. */
export function emptyAnswer(status: number): string {
  return `${statusLine(status)}connection: close\r\ncontent-length: 0\r\n\r\n`;
}

/** Answers to these have no body, and say none (RFC 9110 §6.4.1). */
export function isBodyless(status: number): boolean {
  return status === 204 || status === 304;
}

function statusLine(status: number): string {
  return STATUS_LINES.get(status) ?? `HTTP/1.1 ${status} \r\n`;
}
