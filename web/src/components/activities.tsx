// What goes on for a while: uploads, downloads, jobs. They are seen on every page, and can be stopped.

import { signal } from "@preact/signals";
import type { Progress } from "../api/client";
import { Icon } from "./icon";
import { ProgressBar } from "./progress_bar";
import { say } from "./texts";
import { toastError } from "./toasts";
import { Value } from "./value";

interface Activity {
  key: number;
  label: string;
  done: number;
  total: number | null;
  stop: AbortController;
  open: (() => void) | undefined;
}

const activities = signal<Activity[]>([]);
let last = 0;

/** Runs `work` and shows how far it is; `label` may be said anew by it. `open` shows more of it. Gives null when it was
 * stopped or failed, which is shown. */
export async function activity<T>(
  label: string, work: (progress: Progress, stop: AbortSignal, relabel: (label: string) => void) => Promise<T>,
  open?: () => void,
): Promise<T | null> {
  const key = ++last;
  const stop = new AbortController();
  const change = (found: Partial<Activity>) => {
    activities.value = activities.value.map((each) => (each.key === key ? { ...each, ...found } : each));
  };
  activities.value = [...activities.value, { key, label, done: 0, total: null, stop, open }];
  try {
    return await work((done, total) => change({ done, total }), stop.signal, (text) => change({ label: text }));
  } catch (error) {
    toastError(error);
    return null;
  } finally {
    activities.value = activities.value.filter((each) => each.key !== key);
  }
}

export function Activities() {
  if (!activities.value.length) return null;
  return (
    <section class="activities" aria-label={say("progress")}>
      {activities.value.map(({ key, label, done, total, stop, open }) => (
        <div key={key} class="activity">
          {open ? <button type="button" class="plain activity-label" onClick={open}><Value text={label} short /></button> : <Value text={label} short />}
          <button type="button" class="plain" aria-label={`${say("stop")}: ${label}`} onClick={() => stop.abort()}><Icon name="close" /></button>
          <ProgressBar label={label} done={done} total={total} />
        </div>
      ))}
    </section>
  );
}
