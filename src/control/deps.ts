import type { Cluster } from '../fleet/cluster/index.ts';
import type { UpstreamFailure } from '../gateway/index.ts';
import type { Jobs } from '../ground/jobs/index.ts';
import type { Journal } from '../ground/journal/index.ts';
import type { Clock, Log, Slots } from '../ground/std/index.ts';
import type { Store } from '../ground/store/index.ts';
import type { Catalog } from '../models/catalog/index.ts';
import type { Ledger, Loader } from '../money/ledger/index.ts';
import type { Audit } from '../people/audit/index.ts';
import type { Identity } from '../people/identity/index.ts';
import type { EngineStatus } from '../serving/engines/index.ts';
import type { Traffic } from './metrics/traffic.ts';

/** What the control plane works with; put together in main.ts. */
export interface ControlDeps {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly identity: Identity;
  readonly catalog: Catalog;
  readonly jobs: Jobs;
  readonly audit: Audit;
  readonly loader: Loader;
  readonly journal: Pick<Journal, 'nodeId' | 'reader' | 'commits'>;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly newId: () => string;
  /** What the gateways listen on, as configured: decides which Host headers are answered. */
  readonly host: string;
  readonly startedAtMs: number;
  /** Counts of what was settled since the start. */
  readonly traffic: Traffic;
  /** How long each gateway thread has worked so far; empty where none runs. */
  readonly gatewayBusyMs: () => readonly number[];
  /** Why a deployment failed last since the start, as the gateways saw it: words for the operator. */
  readonly lastFailure: (deploymentId: string) => UpstreamFailure | undefined;
  /** Reads a GGUF file's head: what `model add` needs to know of it. Throws Fault `config_invalid`. */
  readonly inspectModel: (file: string) => Promise<{ readonly name: string; readonly contextTokens: number }>;
  /** How each engine of this node fares. */
  readonly engineStatus: () => readonly EngineStatus[];
  /** Starts the engine of a deployment where nothing else does: without a server, to see whether it loads. */
  readonly startEngine: (deploymentId: string) => void;
  /** This node among others; undefined where it works alone. */
  readonly cluster: Pick<Cluster, 'status' | 'recall'> | undefined;
  /** Copies the whole home, consistently, into a new folder. */
  readonly backup: (folder: string) => Promise<void>;
  /** Brings changes of catalog, keys and wallets into force on all threads. */
  readonly publish: () => Promise<void>;
}
