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

/** The newest ones, the last first; of some types where they are named. */
export async function newest(limit: number, types: readonly string[], stop?: AbortSignal): Promise<{ changes: Change[]; last: number }> {
  const last = (await get<Answer>("changes", { signal: stop, query: { last: true } })).Last;
  const query = { to: last, limit, type: types.length ? types.join(";") : undefined };
  const answer = await get<Answer>("changes", { signal: stop, query });
  return { changes: answer.Changes.reverse(), last };
}

/** Those of some types as they happen: behind the sequence number `since`, or from now on. */
export function watchChanges(since: number | undefined, types: readonly string[], heard: (change: Change) => void, stop: AbortSignal): void {
  events<Change>("changes", heard, [...types], stop, { since, type: types.join(";") });
}
