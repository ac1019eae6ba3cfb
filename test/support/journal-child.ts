// A process of its own for the tests of the journal: appends until it is killed, and prints the id of each answer.
import { writeSync } from 'node:fs';
import { openJournalClient, startJournal } from '../../src/ground/journal/index.ts';
import { createSlots, createUuid7, openSlots } from '../../src/ground/std/index.ts';
import { intent } from './records.ts';

const [dir = '', crashAt, segmentRows = '1000'] = process.argv.slice(2);
const shared = createSlots();
const { node } = openSlots(shared);
const newId = createUuid7(Date.now);
const journal = await startJournal({
  dir,
  shared,
  segmentRows: Number(segmentRows),
  reserveBytes: 0,
  crashAt: crashAt || undefined,
  onCrash(error) {
    writeSync(1, `crash ${node.get('journalBroken')} ${error.message}\n`);
    // Time for the answers that are on their way.
    setTimeout(() => process.exit(70), 100);
  },
});
writeSync(1, `ready ${journal.epoch} ${process.pid}\n`);
for (const client of [1, 2].map(() => openJournalClient(journal.connect()))) {
  const next = () => {
    const id = newId();
    client.append([intent(id)], fault => {
      writeSync(1, fault ? `fault ${fault.code}\n` : `ok ${id}\n`);
      if (!fault) next();
    });
  };
  for (let running = 0; running < 8; running++) next();
}
// The event loop must stay alive whatever the disk does.
setInterval(() => writeSync(1, 'tick\n'), 100);
// Nobody waits for a process that a failing test forgot.
setTimeout(() => process.exit(71), 30_000);
