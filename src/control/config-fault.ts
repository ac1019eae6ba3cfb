import { pathText } from '@millrace/contract';
import { Fault } from '../ground/std/index.ts';
import type { Issue } from './issue-text.ts';

/** A document that is not valid, with all that is wrong with it; the first in the words of the fault. */
export class ConfigFault extends Fault {
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    const [first] = issues;
    const param = pathText(first?.path ?? []);
    super('config_invalid', {
      message: `${param}${param === '' ? '' : ': '}${first?.words.en ?? ''}`,
      messageZh: `${param}${param === '' ? '' : '：'}${first?.words.zh ?? ''}`,
      param,
    });
    this.issues = issues;
  }
}
