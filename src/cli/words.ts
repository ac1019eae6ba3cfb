export type Lang = 'en' | 'zh';

const HELP_EN = `Millrace: one API, one router, one bill.

  millrace serve                          start the server
  millrace apply -f FILE [--dry-run]      bring models, prices and customers to what the file says
  millrace key create --org ID --project ID [--name N] [--models A,B*] [--rpm N] [--tpm N]
               [--concurrency N] [--budget 10CNY/month] [--expires 2027-01-01T00:00:00Z] [--ip 10.0.0.0/8]
  millrace key create --admin --name N    a key for the control API over the network
  millrace key list [--org ID]
  millrace key revoke ID
  millrace org create ID [--name N]       millrace org list
  millrace project create ID --org ID     millrace project list --org ID
  millrace wallet show --org ID [--currency CNY]
  millrace wallet credit --org ID --amount 100 --currency CNY [--key IDEMPOTENCY_KEY] [--note TEXT]
  millrace model list
  millrace model add FILE.gguf [--id ID] [--currency CNY --input-price P --output-price P]
  millrace usage --org ID [--project ID] [--model ID] [--from T] [--to T] [--limit N] [--cursor C]
  millrace ledger verify                  prove that the books are right
  millrace journal inspect
  millrace backup FOLDER                  a whole copy, while it runs
  millrace restore FOLDER                 into an empty MILLRACE_HOME
  millrace bench                          measure this machine
  millrace plan …                         will this model earn? (millrace plan list)
  millrace version

--json prints one JSON object. --lang en|zh chooses the language.
Environment: MILLRACE_HOME, MILLRACE_HOST, MILLRACE_PORT, MILLRACE_THREADS, MILLRACE_LOG, DATABASE_URL.`;

const HELP_ZH = `Millrace：一个 API，一个路由，一张账单。

  millrace serve                          启动服务
  millrace apply -f 文件 [--dry-run]       使模型、价格与客户符合文件所述
  millrace key create --org ID --project ID [--name 名称] [--models A,B*] [--rpm N] [--tpm N]
               [--concurrency N] [--budget 10CNY/month] [--expires 2027-01-01T00:00:00Z] [--ip 10.0.0.0/8]
  millrace key create --admin --name 名称  用于通过网络访问控制 API 的密钥
  millrace key list [--org ID]
  millrace key revoke ID
  millrace org create ID [--name 名称]     millrace org list
  millrace project create ID --org ID     millrace project list --org ID
  millrace wallet show --org ID [--currency CNY]
  millrace wallet credit --org ID --amount 100 --currency CNY [--key 幂等键] [--note 说明]
  millrace model list
  millrace model add 文件.gguf [--id ID] [--currency CNY --input-price 价格 --output-price 价格]
  millrace usage --org ID [--project ID] [--model ID] [--from 时间] [--to 时间] [--limit N] [--cursor C]
  millrace ledger verify                  证明账目正确
  millrace journal inspect
  millrace backup 目录                     运行中完整备份
  millrace restore 目录                    恢复到空的 MILLRACE_HOME
  millrace bench                          测量本机性能
  millrace plan …                         这个模型能赚钱吗？（millrace plan list）
  millrace version

--json 输出一个 JSON 对象。--lang en|zh 选择语言。
环境变量：MILLRACE_HOME、MILLRACE_HOST、MILLRACE_PORT、MILLRACE_THREADS、MILLRACE_LOG、DATABASE_URL。`;

export const helpText = (lang: Lang) => (lang === 'zh' ? HELP_ZH : HELP_EN);

/** What `serve` prints when it answers. */
export function startText(
  lang: Lang,
  {
    url,
    models,
    firstKey,
  }: { readonly url: string; readonly models: readonly string[]; readonly firstKey: string | undefined },
): string {
  const zh = lang === 'zh';
  const model = models[0];
  const question = zh ? '47 + 38 等于多少？' : 'What is 47 + 38?';
  const lines = [zh ? `Millrace 已启动：${url}` : `Millrace is running: ${url}`, ''];
  if (model !== undefined) {
    if (firstKey === undefined)
      lines.push(
        zh
          ? '创建密钥：./millrace key create --org default --project default'
          : 'Make a key: ./millrace key create --org default --project default',
        '',
      );
    else
      lines.push(
        zh ? '您的密钥（仅显示这一次）：' : 'Your key (shown this once):',
        `  ${firstKey}`,
        '',
        zh ? '试一试：' : 'Try it:',
      );
    lines.push(
      `  curl ${url}/v1/chat/completions \\`,
      `    -H 'authorization: Bearer ${firstKey ?? '$MILLRACE_KEY'}' -H 'content-type: application/json' \\`,
      `    -d '{"model":"${model}","messages":[{"role":"user","content":"${question}"}]}'`,
      '',
    );
  }
  lines.push(zh ? '按 Ctrl+C 停止。' : 'Ctrl+C stops it.');
  return `${lines.join('\n')}\n`;
}
