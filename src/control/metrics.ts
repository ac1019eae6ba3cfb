import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ControlDeps } from './deps.ts';

const delay = monitorEventLoopDelay({ resolution: 20 });
delay.enable();

/** Prometheus text. No tenant appears in it: it may be scraped by those who run the machine, not only by those who may read bills. */
export function renderMetrics({ loader, journal, catalog, slots, version }: ControlDeps): string {
  const lines: string[] = [];
  const metric = (name: string, help: string, rows: readonly (readonly [labels: string, value: number])[]) => {
    lines.push(
      `# HELP millrace_${name} ${help}`,
      `# TYPE millrace_${name} gauge`,
      ...rows.map(([labels, value]) => `millrace_${name}${labels} ${value}`),
    );
  };
  const memory = process.memoryUsage();
  metric('build_info', 'Version of the running program.', [[`{version="${version}"}`, 1]]);
  metric('journal_last_seq', 'Newest durable entry of the journal.', [['', journal.reader.lastSeq()]]);
  metric('loader_lag_entries', 'Entries of the journal that are not in the ledger yet.', [['', loader.lag()]]);
  metric('storage_full', '1 while nothing new is admitted for want of disk space.', [
    ['', slots.node.get('storageFull')],
  ]);
  metric('draining', '1 while the node shuts down.', [['', slots.node.get('draining')]]);
  const deployments = [...catalog.snapshot().models.values()].flatMap(model =>
    model.deployments.map(deployment => ({
      labels: `{model="${model.id}",deployment="${deployment.id}"}`,
      slot: deployment.slot,
      embedded: deployment.embedded,
    })),
  );
  for (const [name, gauge, help] of [
    ['deployment_in_flight', 'inFlight', 'Requests that run there.'],
    ['deployment_waiting', 'waiting', 'Requests that wait for a place.'],
    ['deployment_failures', 'failures', 'Failures in a row.'],
    ['deployment_ttft_ms', 'ttftMs', 'Smoothed time to the first token.'],
    ['deployment_duration_ms', 'durationMs', 'Smoothed duration of a request.'],
  ] as const)
    metric(
      name,
      help,
      deployments.map(({ labels, slot }) => [labels, slots.deployments.get(slot, gauge)]),
    );
  metric(
    'deployment_ready',
    '1 when it can be called.',
    deployments.map(({ labels, slot, embedded }) => [
      labels,
      !embedded || slots.deployments.get(slot, 'ready') === 1 ? 1 : 0,
    ]),
  );
  metric('process_resident_bytes', 'Resident memory.', [['', memory.rss]]);
  metric('process_heap_bytes', 'Heap of the main thread.', [['', memory.heapUsed]]);
  metric('event_loop_delay_p99_seconds', 'Delay of the main thread since start.', [['', delay.percentile(99) / 1e9]]);
  return `${lines.join('\n')}\n`;
}
