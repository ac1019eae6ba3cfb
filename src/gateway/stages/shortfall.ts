import type { FaultCode, Nano } from '@millrace/contract/words';
import { Fault, type FaultDetails, type Meterable } from '../../ground/std/index.ts';

/** What was not there when a request was to be admitted. */
export type Need =
  | { readonly what: 'money'; readonly nano: Nano }
  | { readonly what: Meterable; readonly count: number }
  | { readonly what: 'places' };

/** A refusal for want of something that this node may get more of, where it shares with others. */
export class Shortfall extends Fault {
  readonly need: Need;

  constructor(code: FaultCode, details: FaultDetails, need: Need) {
    super(code, details);
    this.need = need;
  }
}
