import { CONTROL_SCHEMA, createTraffic } from '../control/index.ts';
import { assertSecrets, createLeasing } from '../fleet/cluster/index.ts';
import { createJobs, JOBS_SCHEMA } from '../ground/jobs/index.ts';
import { createSlots, openSlots, systemClock } from '../ground/std/index.ts';
import { openStore, type RoomSchema } from '../ground/store/index.ts';
import { createLedger, createLoader, startKeptJournal } from '../money/ledger/index.ts';
import { AUDIT_SCHEMA, createAudit } from '../people/audit/index.ts';
import { home, log } from './home.ts';
import { definePart } from './part.ts';

/** The numbers that all threads share. */
export const slots = definePart({
  name: 'slots',
  needs: {},
  open(_needs, { config }) {
    const shared = createSlots();
    return { shared, ...openSlots(shared, config.valkeyUrl === undefined ? 'own' : 'shares') };
  },
});

/** What rooms beyond the core keep in the store; each brings its tables. */
const ROOMS: readonly RoomSchema[] = [JOBS_SCHEMA, AUDIT_SCHEMA, CONTROL_SCHEMA];

export const store = definePart({
  name: 'store',
  needs: { home, log },
  async open({ home: { secrets, storeFile: file }, log: to }, { config }) {
    const writer = config.valkeyUrl === undefined ? true : 'shared';
    const opened = await openStore({ url: config.databaseUrl, file, log: to, rooms: ROOMS, writer });
    try {
      await assertSecrets(opened, secrets, config.home);
      return opened;
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
  },
  close: opened => opened[Symbol.asyncDispose](),
});

/** After the store: where that is another's, the journal of this home is left as it was. */
export const journal = definePart({
  name: 'journal',
  needs: { home, slots, store },
  open: ({ home: { journalDir: dir }, slots: { shared }, store: kept }, { config, onCrash }) =>
    startKeptJournal({
      ...{ dir, shared, onCrash, segmentRows: config.segmentRows, crashAt: config.crashAt },
      ...{ store: kept, home: config.home, isShared: config.valkeyUrl !== undefined },
      ...{ acceptLoss: config.acceptJournalLoss, nowMs: systemClock.nowMs() },
    }),
  close: opened => opened[Symbol.asyncDispose](),
});

export const traffic = definePart({ name: 'traffic', needs: {}, open: createTraffic });

/** Whether wallets and limits are shared with other nodes. */
export const leasing = definePart({
  name: 'leasing',
  needs: { store },
  open: ({ store: kept }, { config }) => createLeasing(kept, config.valkeyUrl !== undefined),
});

/** Brings the journal into the store. */
export const loader = definePart({
  name: 'loader',
  needs: { store, journal, log, traffic, leasing },
  open({ traffic: { settled: onSettled }, leasing: { isLeasing }, ...kept }, { onCrash: onError }) {
    return createLoader({ store: kept.store, journal: kept.journal, log: kept.log, isLeasing, onError, onSettled });
  },
  close: opened => opened.stop(),
});

export const ledger = definePart({
  name: 'ledger',
  needs: { store, slots },
  open: ({ store: kept, slots: { wallets } }, { config }) =>
    createLedger({ store: kept, clock: systemClock, slots: wallets, isLeasing: config.valkeyUrl !== undefined }),
});

/** Who did what. */
export const audit = definePart({
  name: 'audit',
  needs: { store },
  open: ({ store: kept }) => createAudit({ store: kept, clock: systemClock }),
});

/** Work that outlives a request; a server runs it, a command line only looks at it. */
export const jobs = definePart({
  name: 'jobs',
  needs: { store, log },
  async open({ store: kept, log: to }, { serves }) {
    const queue = await createJobs({ store: kept, clock: systemClock, log: to, kinds: [] });
    if (serves) queue.start();
    return queue;
  },
  close: opened => opened[Symbol.asyncDispose](),
});
