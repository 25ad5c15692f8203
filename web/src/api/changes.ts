// The log of changes.

import { events, get } from "./client";
import type { Level } from "./types";

export interface Change {
  Seq: number;
  ChangeType: string;
  /** A moment of Orthanc, in UTC. */
  Date: string;
  ID: string;
  Path: string;
  ResourceType: Level;
}

interface Answer {
  Changes: Change[];
  Last: number;
  Done: boolean;
}

/** The sequence number of the last one, of whatever type. */
async function lastNumber(stop?: AbortSignal): Promise<number> {
  return (await get<Answer>("changes", { signal: stop, query: { last: true } })).Last;
}

/** The newest ones, the last first; of some types where they are named. */
export async function newest(limit: number, types: readonly string[], stop?: AbortSignal): Promise<{ changes: Change[]; last: number }> {
  const last = await lastNumber(stop);
  const query = { to: last, limit, type: types.length ? types.join(";") : undefined };
  const answer = await get<Answer>("changes", { signal: stop, query });
  return { changes: answer.Changes.reverse(), last };
}

/** Those of some types as they happen: behind the sequence number `since`, or from now on. What happens while the page is
 * hidden is told when it is shown again, none twice. */
export function watchChanges(since: number | undefined, types: readonly string[], heard: (change: Change) => void, stop: AbortSignal): void {
  function begin(known: number | undefined): void {
    let last = known;
    events<Change>("changes", (change) => {
      last = change.Seq;
      heard(change);
    }, types, stop, () => ({ since: last, type: types.join(";") }));
  }

  if (since !== undefined) begin(since);
  // Without the number the stream would not know where to go on, but it begins all the same.
  else lastNumber(stop).then(begin, () => begin(undefined));
}
