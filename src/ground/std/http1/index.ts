// What both sides of HTTP/1.1 read alike: field lines and bodies in chunks. It must not know requests from answers.
export { ChunkedBody } from './chunked-body.ts';
export { FIELD_LINE, FIELD_NAME, FIELD_TEXT, fieldValue, hasConnectionOption } from './field-text.ts';
export { HttpSyntaxError } from './http-syntax-error.ts';
