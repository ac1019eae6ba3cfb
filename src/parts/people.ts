import { joinCluster } from '../fleet/cluster/index.ts';
import { openJournalClient } from '../ground/journal/index.ts';
import { createUuid7, systemClock } from '../ground/std/index.ts';
import { settleOrphans } from '../money/metering/index.ts';
import { createIdentity } from '../people/identity/index.ts';
import { journal, leasing, ledger, loader, slots, store } from './books.ts';
import { home, log } from './home.ts';
import { catalog } from './models.ts';
import { definePart } from './part.ts';

/**
 * Brings the journal in, and settles what the last run left unsettled, before anyone may spend. Repeating it, also after a kill in its
 * midst, changes nothing more.
 */
export const recovery = definePart({
  name: 'recovery',
  needs: { loader, ledger, journal, catalog, leasing },
  async open({ loader: into, journal: from, catalog: models, leasing: { recovered } }) {
    await into.flush();
    const open = await into.openIntents();
    if (open.length > 0) {
      const client = openJournalClient(from.connect());
      await settleOrphans(open, {
        priceVersion: version => models.priceVersion(version),
        append: record =>
          new Promise((done, failed) => client.append([record], fault => (fault ? failed(fault) : done()))),
        putAside: into.putAside,
        nowMs: systemClock.nowMs,
      });
      client.close();
      await into.flush();
    }
    await recovered();
  },
});

/** This node among others; undefined where it works alone. */
export const cluster = definePart({
  name: 'cluster',
  needs: { recovery, home, store, journal, slots, log },
  open({ home: { secrets }, store: kept, journal: { nodeId }, slots: { shared, ...rows }, log: to }, { config }) {
    return joinCluster(config, { store: kept, nodeId, shared, slots: rows, secrets, log: to, clock: systemClock });
  },
  close: opened => opened?.[Symbol.asyncDispose](),
});

/** What may be spent, known to all threads. */
export const balances = definePart({
  name: 'balances',
  needs: { cluster, ledger, loader },
  async open({ ledger: books, loader: into }) {
    await books.publishBalances(into.charged());
    into.onShippedAgain(books.settleSetBack);
  },
});

export const identity = definePart({
  name: 'identity',
  needs: { balances, home, store, slots, ledger, cluster, log },
  open: ({ home: { secrets }, store: kept, slots: { keys }, ledger: books, cluster: nodes, log: to }) =>
    createIdentity({
      ...{
        store: kept,
        clock: systemClock,
        newId: createUuid7(systemClock.nowMs),
        pepper: secrets.pepper,
        slots: keys,
      },
      walletsOf: id => books.walletsOf(id),
      budgets: nodes?.budgets,
      log: to,
    }),
  close: opened => opened[Symbol.dispose](),
});
