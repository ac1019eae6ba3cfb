import type { Words } from '../language.ts';

interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  /** Names of its labels, in their order; `le` of a histogram apart. */
  readonly labels: readonly string[];
  readonly about: Words;
}

/**
 * Every metric, as `millrace_NAME`. The reference page is made from this table, and `/metrics` can show nothing else. Labels take
 * their values from the catalog and from closed lists, never from what a client sends, so their number is bounded.
 */
export const METRICS = {
  build_info: {
    type: 'gauge',
    labels: ['version'],
    about: { en: 'Version of the running program; always 1', zh: '正在运行的程序版本，恒为 1' },
  },
  start_time_seconds: {
    type: 'gauge',
    labels: [],
    about: { en: 'When the node started, in seconds since the epoch', zh: '节点启动时间，Unix 秒' },
  },
  draining: { type: 'gauge', labels: [], about: { en: '1 while the node shuts down', zh: '节点正在停止时为 1' } },
  storage_full: {
    type: 'gauge',
    labels: [],
    about: { en: '1 while nothing new is admitted for want of disk space', zh: '因磁盘空间不足而暂停接收新请求时为 1' },
  },
  journal_broken: {
    type: 'gauge',
    labels: [],
    about: { en: '1 when the journal can no longer be written', zh: '日志无法再写入时为 1' },
  },
  journal_last_seq: {
    type: 'gauge',
    labels: [],
    about: { en: 'Newest durable entry of the journal', zh: '日志中已落盘的最新条目序号' },
  },
  journal_commit_seconds: {
    type: 'summary',
    labels: [],
    about: {
      en: 'Commits of the journal and the time they took, sync included: each answers all who waited for it',
      zh: '日志提交次数与耗时（含落盘）：一次提交答复所有等待者',
    },
  },
  loader_lag_entries: {
    type: 'gauge',
    labels: [],
    about: { en: 'Entries of the journal that are not in the ledger yet', zh: '尚未装入账簿的日志条目数' },
  },
  ledger_suspense: {
    type: 'gauge',
    labels: [],
    about: {
      en: 'What could not be booked and waits for a person (`suspense list`); anything but 0 is an alarm',
      zh: '无法入账、等待人工处理的挂账数（`suspense list`）；不为 0 即应告警',
    },
  },
  ledger_set_backs_total: {
    type: 'counter',
    labels: [],
    about: {
      en: 'How often the database was found in an older state than this node had left it: what it lost of the journal is loaded again',
      zh: '发现数据库回退到旧状态的次数：丢失的部分会从日志重新入账',
    },
  },
  cluster_nodes: {
    type: 'gauge',
    labels: [],
    about: {
      en: 'Nodes at work on this database, this one included; this and the next three only where there may be several',
      zh: '在此数据库上工作的节点数（含本节点）；此项及以下三项仅在多节点部署时出现',
    },
  },
  cluster_valkey_up: {
    type: 'gauge',
    labels: [],
    about: {
      en: '1 while Valkey answers; at 0 limits of keys are divided by the nodes',
      zh: 'Valkey 可用时为 1；为 0 时密钥的限额按节点数均分',
    },
  },
  cluster_leases: {
    type: 'gauge',
    labels: [],
    about: {
      en: 'Wallets and budgets of which this node has a lease, or lately had',
      zh: '本节点持有（或近期持有过）租约的钱包与预算数',
    },
  },
  cluster_may_spend: {
    type: 'gauge',
    labels: [],
    about: {
      en: '1 while this node may spend what it leased; 0 when it has not heard from the database for too long',
      zh: '本节点可以使用其租得余额时为 1；与数据库失联过久时为 0',
    },
  },
  requests_total: {
    type: 'counter',
    labels: ['model', 'deployment', 'outcome', 'fault'],
    about: {
      en: 'Requests settled, by the deployment that was tried last (none: empty), and how they ended',
      zh: '已结算的请求数，按最后尝试的部署（没有则为空）及其结果统计',
    },
  },
  refusals_total: {
    type: 'counter',
    labels: ['code'],
    about: {
      en: 'Requests of the data plane that ended without a settlement, by code of the fault: no money was at stake',
      zh: '数据面上未经结算就结束的请求数，按错误码统计：不涉及金额',
    },
  },
  attempts_total: {
    type: 'counter',
    labels: ['model', 'deployment', 'outcome'],
    about: {
      en: 'Calls to deployments; a request may need several',
      zh: '对部署的调用次数；一个请求可能需要多次',
    },
  },
  tokens_total: {
    type: 'counter',
    labels: ['model', 'deployment', 'kind'],
    about: {
      en: 'Tokens of settled requests. Kinds do not overlap: input without cached_input, output without reasoning',
      zh: '已结算请求的词元数。各类互不重叠：input 不含 cached_input，output 不含 reasoning',
    },
  },
  revenue_total: {
    type: 'counter',
    labels: ['currency'],
    about: {
      en: 'What settled requests were charged, in units of the currency',
      zh: '已结算请求的收费，以币种为单位',
    },
  },
  cost_total: {
    type: 'counter',
    labels: ['currency'],
    about: {
      en: 'What is known of their cost, in units of the currency',
      zh: '其中已知的成本，以币种为单位',
    },
  },
  disputed_tokens_total: {
    type: 'counter',
    labels: ['model', 'deployment', 'kind'],
    about: {
      en: 'Tokens that upstreams reported beyond what was seen or could have been asked: no customer pays them',
      zh: '上游上报、但超出实际所见或请求上限的词元数：不向客户收费',
    },
  },
  disputed_cost_total: {
    type: 'counter',
    labels: ['currency'],
    about: {
      en: 'What those would cost, as far as it is known, in units of the currency: to be settled with the provider',
      zh: '上述词元的成本（已知部分），以币种为单位：需与供应商核对',
    },
  },
  ttft_seconds: {
    type: 'histogram',
    labels: ['model', 'deployment'],
    about: {
      en: 'From the arrival of a streaming request to the first byte of its answer',
      zh: '流式请求从到达到回答首字节的时间',
    },
  },
  duration_seconds: {
    type: 'histogram',
    labels: ['model', 'deployment'],
    about: {
      en: 'From the arrival of a request to the end of its answer',
      zh: '请求从到达到回答结束的时间',
    },
  },
  deployment_ready: {
    type: 'gauge',
    labels: ['model', 'deployment'],
    about: { en: '1 where requests are sent', zh: '可接收请求的部署为 1' },
  },
  deployment_resting: {
    type: 'gauge',
    labels: ['model', 'deployment'],
    about: {
      en: '1 while it is left alone after failures in a row',
      zh: '连续失败后暂停调用期间为 1',
    },
  },
  deployment_failures: {
    type: 'gauge',
    labels: ['model', 'deployment'],
    about: { en: 'Failures in a row', zh: '连续失败次数' },
  },
  deployment_last_failure_timestamp_seconds: {
    type: 'gauge',
    labels: ['model', 'deployment', 'code'],
    about: {
      en: 'When it failed last since the start, in seconds since the epoch, and with which fault; why stands in `model list` and in the log',
      zh: '启动以来最近一次失败的时间（Unix 秒）及其错误码；原因见 `model list` 与日志',
    },
  },
  deployment_in_flight: {
    type: 'gauge',
    labels: ['model', 'deployment'],
    about: { en: 'Requests that run there', zh: '正在其上运行的请求数' },
  },
  deployment_concurrency: {
    type: 'gauge',
    labels: ['model', 'deployment'],
    about: { en: 'How many may run at once; absent: no limit', zh: '可同时运行的请求数；没有该项表示不限' },
  },
  deployment_waiting: {
    type: 'gauge',
    labels: ['model', 'deployment'],
    about: {
      en: 'Requests that wait for a place; one that may go to several deployments counts at each',
      zh: '排队等待的请求数；可去往多个部署的请求在每个部署上各计一次',
    },
  },
  deployment_ttft_seconds: {
    type: 'gauge',
    labels: ['model', 'deployment'],
    about: { en: 'Smoothed time to the first token; what routing goes by', zh: '平滑后的首个词元时间，供路由使用' },
  },
  deployment_duration_seconds: {
    type: 'gauge',
    labels: ['model', 'deployment'],
    about: {
      en: 'Smoothed duration of a request; what waiting times are reckoned from',
      zh: '平滑后的请求时长，用于估算等待时间',
    },
  },
  gateway_busy_seconds_total: {
    type: 'counter',
    labels: ['thread'],
    about: {
      en: 'Time that a gateway thread worked; its rate is its utilization, and near 1 it is the bottleneck',
      zh: '网关线程的工作时间；其速率即利用率，接近 1 说明它是瓶颈',
    },
  },
  event_loop_delay_seconds: {
    type: 'gauge',
    labels: ['quantile'],
    about: {
      en: 'Delay of the main thread since the last look at this page',
      zh: '自上次读取本页以来主线程的延迟',
    },
  },
  process_memory_bytes: {
    type: 'gauge',
    labels: ['kind'],
    about: {
      en: 'Memory of the process; heap and external of the main thread alone',
      zh: '进程内存；heap 与 external 仅指主线程',
    },
  },
  process_cpu_seconds_total: {
    type: 'counter',
    labels: ['kind'],
    about: {
      en: 'CPU time of all threads; engines are processes of their own',
      zh: '所有线程的 CPU 时间；引擎是独立进程，不计在内',
    },
  },
  wallet_spendable: {
    type: 'gauge',
    labels: ['organization', 'currency'],
    about: {
      en: 'What may still be held now, among several nodes by this one without asking; in units of the currency, for the owner and admin keys only',
      zh: '当前还可预留的金额（多节点时为本节点无需申请即可使用的部分），以币种为单位；仅所有者与管理密钥可见',
    },
  },
} as const satisfies Readonly<Record<string, MetricSpec>>;

export type MetricName = keyof typeof METRICS;
