import { monitorEventLoopDelay } from 'node:perf_hooks';
import { FAULT_CODES, formatAmount } from '@millrace/contract';
import type { Deployment } from '../../models/catalog/index.ts';
import { mayDo, type Principal } from '../../people/identity/index.ts';
import type { ControlApp } from '../context.ts';
import type { ControlDeps } from '../deps.ts';
import { stateOf } from '../resources/models.ts';
import type { MetricName } from './metric-table.ts';
import { family, type MetricFamily, metricText } from './metric-text.ts';

/** Finer would cost more than it tells: a pause of the main thread that matters is longer. */
const LOOP_RESOLUTION_MS = 20;
type LoopDelay = ReturnType<typeof monitorEventLoopDelay>;

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
      ...clusterFamilies(deps),
      ...deps.traffic.families(),
      refusalFamily(deps),
      ...deploymentFamilies(deps),
      ...processFamilies(deps, delay),
      ...(mayWallets(c.get('principal')) ? [await walletFamily(deps)] : []),
    ];
    return c.text(metricText(families), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });
}

const mayWallets = (principal: Principal | undefined) =>
  principal !== undefined && principal.organizationId === undefined && mayDo(principal, 'wallets.read');

function nodeFamilies({ loader, journal, slots, version, startedAtMs }: ControlDeps): MetricFamily[] {
  const commits = journal.commits();
  return [
    family('build_info', [{ labels: { version }, value: 1 }]),
    family('start_time_seconds', startedAtMs / 1000),
    family('draining', slots.node.get('draining')),
    family('storage_full', slots.node.get('storageFull')),
    family('journal_broken', slots.node.get('journalBroken')),
    family('journal_last_seq', journal.reader.lastSeq()),
    family('journal_commit_seconds', [
      { labels: {}, value: commits.seconds, suffix: '_sum' },
      { labels: {}, value: commits.count, suffix: '_count' },
    ]),
    family('loader_lag_entries', loader.lag()),
    family('ledger_suspense', loader.suspended()),
    family('ledger_set_backs_total', loader.setBacks().count),
  ];
}

function clusterFamilies({ cluster }: ControlDeps): MetricFamily[] {
  if (!cluster) return [];
  const { nodes, valkeyUp, leases, maySpend } = cluster.status();
  return [
    family('cluster_nodes', nodes),
    family('cluster_valkey_up', valkeyUp ? 1 : 0),
    family('cluster_leases', leases),
    family('cluster_may_spend', maySpend ? 1 : 0),
  ];
}

/** Each code from the start on, at zero: a rate over a series that appears with its first refusal would miss that one. */
function refusalFamily({ slots }: ControlDeps): MetricFamily {
  return family(
    'refusals_total',
    FAULT_CODES.map(code => ({ labels: { code }, value: slots.refusals.total(code) })),
  );
}

function deploymentFamilies(deps: ControlDeps): MetricFamily[] {
  const { catalog, slots } = deps;
  const deployments = [...catalog.snapshot().models.values()].flatMap(model =>
    model.deployments.map(deployment => ({ deployment, labels: { model: model.id, deployment: deployment.id } })),
  );
  const each = (name: MetricName, value: (deployment: Deployment) => number | undefined) =>
    family(
      name,
      deployments.flatMap(({ deployment, labels }) => {
        const known = value(deployment);
        return known === undefined ? [] : [{ labels, value: known }];
      }),
    );
  const { get } = slots.deployments;
  const isIn = (state: ReturnType<typeof stateOf>['state']) => (deployment: Deployment) =>
    stateOf(deps, deployment).state === state ? 1 : 0;
  return [
    each('deployment_ready', isIn('ready')),
    each('deployment_resting', isIn('resting')),
    each('deployment_failures', ({ slot }) => get(slot, 'failures')),
    family(
      'deployment_last_failure_timestamp_seconds',
      deployments.flatMap(({ deployment, labels }) => {
        const failure = deps.lastFailure(deployment.id);
        return failure ? [{ labels: { ...labels, code: failure.code }, value: failure.atMs / 1000 }] : [];
      }),
    ),
    each('deployment_in_flight', ({ slot }) => get(slot, 'inFlight')),
    each('deployment_concurrency', ({ concurrency }) => concurrency),
    each('deployment_waiting', ({ slot }) => get(slot, 'waiting')),
    each('deployment_ttft_seconds', ({ slot }) => get(slot, 'ttftMs') / 1000),
    each('deployment_duration_seconds', ({ slot }) => get(slot, 'durationMs') / 1000),
  ];
}

function processFamilies({ gatewayBusyMs }: ControlDeps, delay: LoopDelay): MetricFamily[] {
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  // Before the first sample there is none: NaN would break dashboards.
  const delays = [0.5, 0.99, 1].map(quantile => ({
    labels: { quantile: String(quantile) },
    value: (delay.percentile(quantile * 100) || 0) / 1e9,
  }));
  // Over the whole life of a process a pause of today would drown in the days before.
  delay.reset();
  return [
    family(
      'gateway_busy_seconds_total',
      gatewayBusyMs().map((busyMs, thread) => ({ labels: { thread: String(thread) }, value: busyMs / 1000 })),
    ),
    family('event_loop_delay_seconds', delays),
    family('process_memory_bytes', [
      { labels: { kind: 'resident' }, value: rss },
      { labels: { kind: 'heap' }, value: heapUsed },
      { labels: { kind: 'external' }, value: external },
      { labels: { kind: 'array_buffers' }, value: arrayBuffers },
    ]),
    family('process_cpu_seconds_total', [
      { labels: { kind: 'user' }, value: user / 1e6 },
      { labels: { kind: 'system' }, value: system / 1e6 },
    ]),
  ];
}

async function walletFamily({ identity, ledger, slots }: ControlDeps): Promise<MetricFamily> {
  const samples = (await identity.organizations()).flatMap(({ id }) =>
    ledger.walletsOf(id).map(({ currency, slot }) => ({
      labels: { organization: id, currency },
      value: formatAmount(slots.wallets.spendable(slot)),
    })),
  );
  return family('wallet_spendable', samples);
}
