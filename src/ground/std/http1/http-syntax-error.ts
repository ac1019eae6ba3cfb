/** Why bytes are no HTTP/1.1 that we take. */
export class HttpSyntaxError extends Error {
  readonly kind: 'rules' | 'too-large' | 'too-many';
  constructor(kind: HttpSyntaxError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}
