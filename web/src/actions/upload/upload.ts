// One upload: some files at a time, and when the server cannot be reached a pause, after which it goes on.

import { signal } from "@preact/signals";
import { ApiError, type Progress, isAbort, messageOf } from "../../api/client";
import { storeFile } from "../../api/store";
import type { Collected, Entry, Refused } from "./collect";
import { say } from "./texts";

const PARALLEL = 4;
const LONGEST_WAIT = 60; // seconds
/** Answers after which the same file may be taken: no connection, nobody logged in, too many requests, a proxy without a
 * server behind it, no room. */
const PASSING: readonly number[] = [0, 401, 429, 502, 503, 504, 507];

/** `paused` goes on by itself, `stopped` only when somebody says so. */
type Phase = "sending" | "paused" | "stopped" | "done";

export class Upload {
  /** Rises with each change of what follows. */
  readonly changed = signal(0);
  phase: Phase = "sending";
  /** Why it is paused. */
  problem = "";
  readonly files: number;
  readonly bytes: number;
  readonly skipped: number;
  readonly refused: Refused[];
  /** How many instances are new, and how many the server had. */
  stored = 0;
  known = 0;
  /** Studies with how many instances of them there were. */
  readonly studies = new Map<string, number>();

  /** The next one is the last. */
  private readonly waiting: Entry[];
  /** With how many bytes have gone. */
  private readonly sending = new Map<Entry, number>();
  private doneBytes = 0;
  private failures = 0;
  private pausing: Promise<void> | null = null;
  private wake: () => void = () => undefined;

  constructor({ entries, refused, skipped }: Collected) {
    this.waiting = [...entries].reverse();
    this.files = entries.length + refused.length;
    this.bytes = entries.reduce((sum, { file }) => sum + file.size, 0);
    this.refused = [...refused];
    this.skipped = skipped;
  }

  /** Paths of the files that the server does not have yet. */
  left(): string[] {
    return [...this.sending.keys(), ...[...this.waiting].reverse()].map(({ path }) => path);
  }

  get leftCount(): number {
    return this.sending.size + this.waiting.length;
  }

  get sentBytes(): number {
    return [...this.sending.values()].reduce((sum, each) => sum + each, this.doneBytes);
  }

  /** Sends what is left. What a stop leaves is sent by the next run. */
  async run(progress: Progress, stop: AbortSignal): Promise<void> {
    const wake = () => this.wake();
    const unsubscribe = this.changed.subscribe(() => progress(this.sentBytes, this.bytes));
    stop.addEventListener("abort", wake);
    addEventListener("online", wake);
    this.enter("sending");
    try {
      await Promise.all(Array.from({ length: PARALLEL }, () => this.work(stop)));
      this.enter(this.leftCount ? "stopped" : "done");
    } finally {
      unsubscribe();
      removeEventListener("online", wake);
    }
  }

  /** Ends a pause. */
  goOn(): void {
    this.wake();
  }

  private async work(stop: AbortSignal): Promise<void> {
    for (;;) {
      if (this.pausing) await this.pausing;
      const entry = stop.aborted ? undefined : this.waiting.pop();
      if (entry === undefined) return;
      try {
        await this.send(entry, stop);
      } catch (error) {
        this.waiting.push(entry);
        if (isAbort(error)) return;
        await (this.pausing ??= this.pause(messageOf(error), stop));
      }
    }
  }

  /** Raises what may pass: a refusal is written down. */
  private async send(entry: Entry, stop: AbortSignal): Promise<void> {
    this.sending.set(entry, 0);
    try {
      const found = await storeFile(entry.file, (done) => {
        this.sending.set(entry, Math.min(done, entry.file.size));
        this.changed.value++;
      }, stop);
      if (!found.length) this.refuse(entry, say("noDicom"));
      for (const { Status, ParentStudy } of found) {
        if (Status === "Success") this.stored++;
        else if (Status === "AlreadyStored") this.known++;
        else {
          this.refuse(entry, Status === "FilteredOut" ? say("filtered") : Status);
          continue;
        }
        this.studies.set(ParentStudy, (this.studies.get(ParentStudy) ?? 0) + 1);
      }
    } catch (error) {
      if (isAbort(error) || !await this.isRefusal(error, entry)) throw error;
    } finally {
      this.sending.delete(entry);
    }
    this.failures = 0;
    this.doneBytes += entry.file.size;
    this.changed.value++;
  }

  private async isRefusal(error: unknown, entry: Entry): Promise<boolean> {
    const status = error instanceof ApiError ? error.status : -1;
    if (!PASSING.includes(status)) this.refuse(entry, messageOf(error));
    // A file that is gone looks like a lost connection.
    else if (status === 0 && !await isReadable(entry.file)) this.refuse(entry, say("unreadable"));
    else return false;
    return true;
  }

  private refuse({ path }: Entry, reason: string): void {
    this.refused.push({ path, reason });
  }

  private async pause(problem: string, stop: AbortSignal): Promise<void> {
    this.problem = problem;
    this.enter("paused");
    const seconds = Math.min(2 ** this.failures++, LONGEST_WAIT);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      this.wake = () => { clearTimeout(timer); resolve(); };
      if (stop.aborted) this.wake();
    });
    this.pausing = null;
    this.enter("sending");
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    this.changed.value++;
  }
}

async function isReadable(file: File): Promise<boolean> {
  return file.slice(0, 1).arrayBuffer().then(() => true, () => false);
}
