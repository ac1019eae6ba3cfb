import type { Clock, Log } from '../../ground/std/index.ts';

const CONNECT_MS = 2_000;
/** Who waits here is a request: where no answer comes, limits go on without. */
const COMMAND_MS = 250;
const RETRY_MS_MAX = 1_000;
/** A Valkey that did not answer is left alone for so long: each who asked would wait in vain. */
const REST_MS = 1_000;

/** News between nodes. Lost where Valkey is away: nothing depends on it but how soon something is known. */
export type News =
  /** The catalog, keys or wallets are other than they were. */
  | { readonly type: 'changed' }
  /** Somebody is short of this lease or share: who has some that is not in use gives it back. */
  | { readonly type: 'want'; readonly name: string };

/** What nodes share that may be lost at any moment: never the only copy of money or usage. */
export interface Valkey extends AsyncDisposable {
  isUp(): boolean;
  /** Runs a script that answers with integers; undefined where Valkey is away. Keys get this database's prefix. */
  run(script: string, key: string, args: readonly (string | number)[]): Promise<readonly number[] | undefined>;
  tell(news: News): void;
  onNews(listener: (news: News) => void): void;
}

/** Loaded where it is used: a node that works alone does not start with it. */
async function loadClient() {
  const { Valkey: Client } = await import('iovalkey');
  return (url: string) =>
    new Client(url, {
      lazyConnect: true,
      connectTimeout: CONNECT_MS,
      commandTimeout: COMMAND_MS,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: times => Math.min(RETRY_MS_MAX, 50 * 2 ** Math.min(times, 6)),
    });
}

/** Connects, and goes on trying for as long as it lives; returns after the first try, whatever came of it. */
export async function connectValkey({
  url,
  prefix,
  nodeId,
  clock,
  log,
}: {
  readonly url: string;
  /** Of keys and channels: tells the databases apart that share one Valkey. */
  readonly prefix: string;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<Valkey> {
  const open = await loadClient();
  const commands = open(url);
  const subscriber = open(url);
  const channel = `${prefix}:news`;
  const listeners: ((news: News) => void)[] = [];
  let saidUp: boolean | undefined;
  const sayState = (up: boolean) => {
    if (saidUp === up) return;
    saidUp = up;
    if (up) log.info('valkey-up');
    else log.warn('valkey-away', { effect: 'limits of keys are divided by the nodes' });
  };
  for (const client of [commands, subscriber]) client.on('error', () => {});
  commands.on('ready', () => sayState(true));
  commands.on('close', () => sayState(false));
  subscriber.on('ready', () => void subscriber.subscribe(channel).catch(() => {}));
  subscriber.on('message', (_channel: string, text: string) => {
    const news = newsOf(text, nodeId);
    if (news) for (const listener of listeners) listener(news);
  });
  await Promise.allSettled([commands.connect(), subscriber.connect()]);
  let restUntilMs = 0;
  const isUp = () => commands.status === 'ready' && clock.monotonicMs() >= restUntilMs;
  if (!isUp()) sayState(false);
  return {
    isUp,
    async run(script, key, args) {
      if (!isUp()) return undefined;
      try {
        const answer: unknown = await commands.call('EVAL', script, 1, `${prefix}:${key}`, ...args);
        sayState(true);
        return Array.isArray(answer) ? answer.map(Number) : undefined;
      } catch (error) {
        log.debug('valkey-failed', { internal: String(error) });
        restUntilMs = clock.monotonicMs() + REST_MS;
        sayState(false);
        return undefined;
      }
    },
    tell(news) {
      if (isUp()) commands.publish(channel, JSON.stringify({ from: nodeId, ...news })).catch(() => {});
    },
    onNews: listener => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      for (const client of [commands, subscriber]) client.disconnect();
    },
  };
}

/** Another node's news; ours come back too. */
function newsOf(text: string, nodeId: string): News | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
    if ('from' in value && value.from === nodeId) return undefined;
    if (value.type === 'changed') return { type: 'changed' };
    if (value.type === 'want' && 'name' in value && typeof value.name === 'string')
      return { type: 'want', name: value.name };
  } catch {
    // Of somebody else on this channel.
  }
  return undefined;
}
