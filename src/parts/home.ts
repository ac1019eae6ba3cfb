import { join } from 'node:path';
import { refuseHalfRestored } from '../control/index.ts';
import { armCrashPoint, createLog, lockHome, readSecrets } from '../ground/std/index.ts';
import { definePart } from './part.ts';

/** Paths below the home. */
const STORE_FILE = 'store.db';
const JOURNAL_FOLDER = 'journal';

export const log = definePart({
  name: 'log',
  needs: {},
  open: (_needs, { config }) => createLog(config.logLevel),
});

/** The folder of all that is kept, for us alone, and the secrets that it is sealed with. */
export const home = definePart({
  name: 'home',
  needs: {},
  open(_needs, { config }) {
    armCrashPoint(config.crashAt);
    // All that we make is for our owner alone from the moment it is there, sockets above all: a mode that is set afterwards leaves
    // a moment in which another may enter. Children and threads make theirs under it too.
    process.umask(0o077);
    const lock = lockHome(config.home);
    try {
      refuseHalfRestored(config.home);
      const secrets = readSecrets(config.home, [STORE_FILE, JOURNAL_FOLDER]);
      const at = (name: string) => join(config.home, name);
      return { lock, secrets, storeFile: at(STORE_FILE), journalDir: at(JOURNAL_FOLDER), runDir: at('run') };
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  },
  close: ({ lock }) => lock[Symbol.dispose](),
});
