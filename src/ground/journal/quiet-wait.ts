/**
 * A batch leaves when a turn of the event loop added nothing to it, at the latest after so many turns. A commit costs what it
 * costs whatever is in it, so under load larger batches are the cheaper ones; and who is alone waits for one empty turn.
 */
const TURNS_MAX = 6;

/** Returns what begins the wait; `held` is how much there is to send. One wait at a time. */
export function createQuietWait(held: () => number, send: () => void): () => void {
  let turns = 0;
  let heldBefore = 0;
  const look = () => {
    const now = held();
    if (now === heldBefore || ++turns >= TURNS_MAX) return send();
    heldBefore = now;
    setImmediate(look);
  };
  return () => {
    turns = 0;
    heldBefore = held();
    setImmediate(look);
  };
}
