import { type ApplyResult, applyResultSchema, type Change, errorSchema } from '@millrace/contract';
import { Fault } from '../../ground/std/index.ts';
import { faultOf } from '../client.ts';
import type { Command } from '../command.ts';

const MARKS: Readonly<Record<Change['action'], string>> = { created: '+', changed: '~', removed: '-', unchanged: '=' };
const KINDS_ZH: Readonly<Record<Change['kind'], string>> = {
  provider: '供应商',
  model: '模型',
  deployment: '部署',
  organization: '组织',
  project: '项目',
  wallet: '钱包',
};

export const apply: Command = {
  name: 'apply',
  about: {
    en: 'bring providers, models, prices and customers to what a file says; what it does not name is left alone',
    zh: '使供应商、模型、价格与客户符合文件所述；文件未提及的对象保持不变',
  },
  flags: [
    {
      name: 'file',
      short: 'f',
      value: 'FILE',
      required: true,
      about: { en: 'YAML or JSON; - reads standard input', zh: 'YAML 或 JSON；- 表示标准输入' },
    },
    { name: 'dry-run', about: { en: 'say what would change, change nothing', zh: '只显示将要发生的变更，不做修改' } },
  ],
  examples: ['apply -f millrace.yaml --dry-run', 'UPSTREAM_KEY=… ./millrace apply -f millrace.yaml'],
  json: '{"dryRun","changed","changes":[{"kind","id","action","fields":[{"field","from","to"}]}],"warnings":[{"path","message"}]}',
  async run(call) {
    // Loaded where it is used, and YAML with it.
    const { readConfigFile } = await import('../document.ts');
    const file = readConfigFile(call.text('file'), call.env);
    const client = await call.client();
    const reply = await client.send('POST', '/api/v1/config/apply', {
      config: file.value,
      dryRun: call.isSet('dry-run'),
    });
    if (reply.status >= 400) {
      const told = errorSchema.safeParse(reply.body);
      const issues = told.success ? told.data.error.issues : undefined;
      if (!issues) throw faultOf(reply);
      const message = file.locate(issues, call.lang);
      throw new Fault('config_invalid', { message, messageZh: message });
    }
    const result = applyResultSchema.parse(reply.body);
    if (result.warnings.length > 0)
      call.note(
        `${call.lang === 'zh' ? '请注意：' : 'Worth a second look:'}\n${file.locate(result.warnings, call.lang)}`,
      );
    call.answer(result, () => differenceText(result, call.lang === 'zh'));
    return 0;
  },
};

/** The difference as people read it: `+ created`, `~ changed field: old → new`, `- removed`, `= unchanged`. */
export function differenceText({ changes, changed, dryRun }: ApplyResult, zh: boolean): string {
  const lines = changes.flatMap(({ kind, id, action, fields }) => {
    const shown = action === 'removed' ? [] : fields;
    return [
      `${MARKS[action]} ${zh ? KINDS_ZH[kind] : kind} ${id}`,
      ...shown.map(({ field, from, to }) =>
        action === 'created' ? `    ${field}: ${to ?? '-'}` : `    ${field}: ${from ?? '-'} → ${to ?? '-'}`,
      ),
    ];
  });
  return [...lines, ...(lines.length > 0 ? [''] : []), summary(changed, dryRun, zh)].join('\n');
}

function summary(changed: boolean, dryRun: boolean, zh: boolean): string {
  if (!changed) return zh ? '没有变化。' : 'Nothing changes.';
  if (dryRun) return zh ? '以上为预览，未做任何修改。' : 'This is a preview: nothing was changed.';
  return zh ? '已生效。' : 'Done: in force now.';
}
