// The same request for each of many resources.

import type { Progress } from "../api/client";

const PARALLEL = 4;

/** What `work` gives for each, in their order, some at a time. Raises what it raises, and AbortError after a stop. */
export async function forEach<T, R>(all: readonly T[], work: (one: T) => Promise<R>, progress: Progress, stop: AbortSignal): Promise<R[]> {
  const found: R[] = [];
  let next = 0;
  let done = 0;
  async function some(): Promise<void> {
    while (next < all.length) {
      stop.throwIfAborted();
      const at = next++;
      found[at] = await work(all[at] as T);
      progress(++done, all.length);
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, some));
  return found;
}
