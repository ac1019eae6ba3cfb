import { monitorEventLoopDelay } from 'node:perf_hooks';
import { FAULT_CODES, formatAmount } from '@millrace/contract';
import type { ControlApp } from './context.ts';
import type { ControlDeps } from './deps.ts';
import { type MetricFamily, metricText, type Sample } from './metric-text.ts';
import { stateOf } from './models.ts';

/** Finer would cost more than it tells: a pause of the main thread that matters is longer. */
const LOOP_RESOLUTION_MS = 20;

/**
 * `/metrics`. What belongs to tenants is shown to the owner and to admin keys only: the rest may be scraped by those who run the
 * machine, not only by those who may read bills.
 */
export function metricsRoutes(app: ControlApp, deps: ControlDeps): void {
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  app.get('/metrics', async c => {
    const families = [
      ...nodeFamilies(deps),
      ...deploymentFamilies(deps),
      ...deps.traffic.families(),
      refusalFamily(deps),
      ...processFamilies(delay),
      ...(c.get('admin') ? [await walletFamily(deps)] : []),
    ];
    return c.text(metricText(families), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });
}

const gauge = (name: string, help: string, samples: readonly Sample[] | number): MetricFamily => ({
  name: `millrace_${name}`,
  type: 'gauge',
  help,
  samples: typeof samples === 'number' ? [{ labels: {}, value: samples }] : samples,
});

function nodeFamilies({ loader, journal, slots, version, startedAtMs }: ControlDeps): MetricFamily[] {
  return [
    gauge('build_info', 'Version of the running program.', [{ labels: { version }, value: 1 }]),
    gauge('start_time_seconds', 'When the node started, in seconds since the epoch.', startedAtMs / 1000),
    gauge('journal_last_seq', 'Newest durable entry of the journal.', journal.reader.lastSeq()),
    gauge('loader_lag_entries', 'Entries of the journal that are not in the ledger yet.', loader.lag()),
    gauge('storage_full', '1 while nothing new is admitted for want of disk space.', slots.node.get('storageFull')),
    gauge('journal_broken', '1 when the journal can no longer be written.', slots.node.get('journalBroken')),
    gauge('draining', '1 while the node shuts down.', slots.node.get('draining')),
  ];
}

function deploymentFamilies({ catalog, slots, clock }: ControlDeps): MetricFamily[] {
  const deployments = [...catalog.snapshot().models.values()].flatMap(model =>
    model.deployments.map(deployment => ({ deployment, labels: { model: model.id, deployment: deployment.id } })),
  );
  const each = (name: string, help: string, value: (slot: number) => number) =>
    gauge(
      name,
      help,
      deployments.map(({ deployment, labels }) => ({ labels, value: value(deployment.slot) })),
    );
  const { get } = slots.deployments;
  return [
    gauge(
      'deployment_ready',
      '1 where requests are sent.',
      deployments.map(({ deployment, labels }) => ({
        labels,
        value: stateOf(deployment, slots.deployments, clock.nowMs()) === 'ready' ? 1 : 0,
      })),
    ),
    each('deployment_in_flight', 'Requests that run there.', slot => get(slot, 'inFlight')),
    each('deployment_waiting', 'Requests that wait for a place.', slot => get(slot, 'waiting')),
    each('deployment_failures', 'Failures in a row.', slot => get(slot, 'failures')),
    each('deployment_ttft_seconds', 'Smoothed time to the first token.', slot => get(slot, 'ttftMs') / 1000),
    each('deployment_duration_seconds', 'Smoothed duration of a request.', slot => get(slot, 'durationMs') / 1000),
  ];
}

/** Each code from the start on, at zero: a rate over a series that appears with its first refusal would miss that one. */
function refusalFamily({ slots }: ControlDeps): MetricFamily {
  return {
    name: 'millrace_refusals_total',
    type: 'counter',
    help: 'Requests that ended without a settlement, by code of the fault: no money was at stake.',
    samples: FAULT_CODES.map(code => ({ labels: { code }, value: String(slots.refusals.total(code)) })),
  };
}

function processFamilies(delay: { percentile(percentile: number): number }): MetricFamily[] {
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    gauge('process_memory_bytes', 'Memory of the process; heap and external of the main thread.', [
      { labels: { kind: 'resident' }, value: rss },
      { labels: { kind: 'heap' }, value: heapUsed },
      { labels: { kind: 'external' }, value: external },
      { labels: { kind: 'array_buffers' }, value: arrayBuffers },
    ]),
    {
      name: 'millrace_process_cpu_seconds_total',
      type: 'counter',
      help: 'CPU time of all threads; engines are processes of their own.',
      samples: [
        { labels: { kind: 'user' }, value: user / 1e6 },
        { labels: { kind: 'system' }, value: system / 1e6 },
      ],
    },
    gauge(
      'event_loop_delay_seconds',
      'Delay of the main thread since the start.',
      [0.5, 0.99, 1].map(quantile => ({
        labels: { quantile: String(quantile) },
        // Before the first sample there is none: NaN would break dashboards.
        value: (delay.percentile(quantile * 100) || 0) / 1e9,
      })),
    ),
  ];
}

async function walletFamily({ identity, ledger, slots }: ControlDeps): Promise<MetricFamily> {
  const samples = (await identity.organizations()).flatMap(({ id }) =>
    ledger.walletsOf(id).map(({ currency, slot }) => ({
      labels: { organization: id, currency },
      value: formatAmount(slots.wallets.spendable(slot)),
    })),
  );
  return gauge('wallet_spendable', 'What may still be held now, in units of the currency.', samples);
}
