import type { JsonObject, JsonValue } from '../codec.ts';
import { isArray, isObject } from '../json.ts';

const CODE_LENGTH_MAX = 128;

/** What an upstream said went wrong, whatever shape it used. */
export interface UpstreamError {
  /** HTTP status that the body itself names; 0: none. */
  readonly status: number;
  /** Every code, type and status word that is not too long to be one, most telling first. */
  readonly codes: readonly string[];
  readonly message: string;
  readonly param: string | undefined;
}

/**
 * Finds the error in a body or an event: OpenAI's `{error:{…}}`, `{code, error:"…"}`, FastAPI's `{detail}`,
 * `{code, message|msg}`, `{error_code, error_msg}`, `{base_resp:{status_code}}`, `{Response:{Error:{Code}}}`.
 * Undefined where none of them is there, as in any answer.
 */
export function findError(body: JsonObject): UpstreamError | undefined {
  const { error, detail, base_resp: resp, Response: response } = body;
  if (isObject(error)) return facts([error['code'], error['type'], error['status'], error['upstream_code']], error);
  if (typeof error === 'string' && error !== '')
    return facts([body['code'], body['error_type']], { ...body, message: error });
  if (error !== undefined && error !== null && error !== false && error !== '') return facts([], {});
  if (isObject(resp) && resp['status_code'] !== 0 && resp['status_code'] !== undefined) {
    return facts([resp['status_code']], { message: resp['status_msg'] });
  }
  if (isArray(body['choices']) && !isFailure(body['code'])) return undefined;
  if (isObject(response) && isObject(response['Error'])) {
    return facts([response['Error']['Code']], { message: response['Error']['Message'] });
  }
  if (typeof detail === 'string' || isArray(detail)) return facts([], { message: detailText(detail) });
  if (isFailure(body['error_code'])) return facts([body['error_code']], { message: body['error_msg'] });
  const message = body['message'] ?? body['msg'];
  if (isFailure(body['code']) || body['object'] === 'error')
    return facts([body['code'], body['type']], { ...body, message });
  return undefined;
}

/** Whether a top-level code says that something failed; 0, 200 and their kin are how some vendors say "fine". */
function isFailure(code: JsonValue | undefined): boolean {
  if (typeof code === 'number') return code !== 0 && code !== 200;
  return typeof code === 'string' && !/^(?:|0+|200|ok|success)$/i.test(code);
}

function facts(codes: readonly (JsonValue | undefined)[], told: JsonObject): UpstreamError {
  // No vendor's code is as long: what is would only be work, for patterns that look for words within.
  const words = codes
    .filter(code => typeof code === 'string' || typeof code === 'number')
    .map(String)
    .filter(code => code.length <= CODE_LENGTH_MAX);
  const statuses = [told['http_status_code'], told['status_code'], told['upstream_status'], ...words].map(Number);
  const message = told['message'] ?? told['msg'];
  return {
    status: statuses.find(status => Number.isInteger(status) && status >= 400 && status <= 599) ?? 0,
    codes: words.filter(word => word !== ''),
    message: typeof message === 'string' ? message : '',
    param: typeof told['param'] === 'string' ? told['param'] : undefined,
  };
}

function detailText(detail: string | readonly JsonValue[]): string {
  if (typeof detail === 'string') return detail;
  return detail.map(item => (isObject(item) && typeof item['msg'] === 'string' ? item['msg'] : '')).join('; ');
}
