// The frames of a series: those near to the one that is looked at come first, a few requests at a time.

import { ApiError, part, request } from "../api/client";
import { type Frame, framesOf } from "./frame";
import { parseNpy } from "./npy";

/** Where the frame is: an instance, and the number in it. */
export interface FramePlace {
  instance: string;
  frame: number;
}

const AT_ONCE = 4; // requests; a browser has six connections to a server
const REQUEST_BYTES = 4 << 20;
const BUDGET_BYTES = 1 << 30; // beyond it, the frames farthest from the one looked at are forgotten
const UNKNOWN_BYTES = 512 << 10; // of the others, where the first frame cannot be shown
const TRIES = 3; // without a connection

export class FrameLoader {
  readonly places: readonly FramePlace[];
  /** The frames that are there. */
  private readonly frames = new Map<number, Frame>();
  private readonly failures = new Map<number, unknown>();
  private readonly underway = new Set<number>();
  private readonly stop = new AbortController();
  private center: number;
  private running = 0;
  private held = 0;
  private frameBytes = 0;
  private lost = 0;
  /** Whether several frames can be asked for in one request; not where slices differ in size. */
  private inRuns = true;

  /** `changed` is called with each frame that has come or failed. */
  constructor(private readonly series: string, places: readonly FramePlace[], start: number, private readonly changed: (at: number) => void) {
    this.places = places;
    this.center = start;
  }

  get(at: number): Frame | undefined {
    return this.frames.get(at);
  }

  failure(at: number): unknown {
    return this.failures.get(at);
  }

  get loaded(): number {
    return this.frames.size;
  }

  /** Whether nothing is left to be loaded, or nothing more fits. */
  get isDone(): boolean {
    return this.running === 0 && this.nearest() === null;
  }

  /** Loads what is missing, from here outwards. */
  want(at: number): void {
    this.center = at;
    if (this.isMissing(at)) this.lost = 0;
    this.pump();
  }

  /** Asks again for what failed. */
  retry(): void {
    this.failures.clear();
    this.lost = 0;
    this.pump();
  }

  close(): void {
    this.stop.abort();
    this.frames.clear();
  }

  private pump(): void {
    // The first one comes alone: it is what somebody waits for, and says how large the others are.
    const most = this.frameBytes === 0 ? 1 : AT_ONCE;
    while (this.running < most && this.lost < TRIES && !this.stop.signal.aborted) {
      const next = this.nearest();
      if (next === null) return;
      void this.load(next, this.runFrom(next));
    }
  }

  private isMissing(at: number): boolean {
    return at >= 0 && at < this.places.length && !this.frames.has(at) && !this.failures.has(at) && !this.underway.has(at);
  }

  /** The nearest frame that is missing, within what memory may hold. */
  private nearest(): number | null {
    const reach = this.frameBytes === 0 ? 0 : Math.max(Math.floor(BUDGET_BYTES / this.frameBytes / 2), 1);
    for (let away = 0; away <= Math.min(reach, this.places.length); away++) {
      if (this.isMissing(this.center + away)) return this.center + away;
      if (this.isMissing(this.center - away)) return this.center - away;
    }
    return null;
  }

  /** How many frames, away from the centre, are asked for together: positive forwards. */
  private runFrom(first: number): number {
    const step = first < this.center ? -1 : 1;
    if (this.frameBytes === 0 || !this.inRuns) return step;
    // Near to what is looked at a few, soon; farther away more, with fewer requests.
    const most = Math.max(Math.min(Math.floor(REQUEST_BYTES / this.frameBytes), Math.abs(first - this.center)), 1);
    let count = 1;
    while (count < most && this.isMissing(first + step * count) && this.inOneRequest(first, first + step * count)) count++;
    return step * count;
  }

  private inOneRequest(one: number, other: number): boolean {
    const first = this.places[one];
    const second = this.places[other];
    return (first?.frame === 0 && second?.frame === 0) || first?.instance === second?.instance;
  }

  private async load(first: number, run: number): Promise<void> {
    const low = run > 0 ? first : first + run + 1;
    const numbers = Array.from({ length: Math.abs(run) }, (_, each) => low + each);
    this.running++;
    for (const at of numbers) this.underway.add(at);
    try {
      const frames = framesOf(parseNpy(await this.fetch(low, numbers.length)));
      if (frames.length !== numbers.length) throw new Error("the server sent another number of frames");
      this.lost = 0;
      frames.forEach((frame, each) => this.keep(low + each, frame));
    } catch (error) {
      if (!this.stop.signal.aborted) this.failed(numbers, error);
    } finally {
      this.running--;
      for (const at of numbers) this.underway.delete(at);
      if (!this.stop.signal.aborted) {
        for (const at of numbers) this.changed(at);
        this.pump();
      }
    }
  }

  private failed(numbers: number[], error: unknown): void {
    const isLost = error instanceof ApiError && error.status === 0;
    if (isLost) this.lost++;
    else this.frameBytes ||= UNKNOWN_BYTES;
    if (!isLost && numbers.length > 1) this.inRuns = false; // and each once more, alone
    // Without a connection only the one that is waited for has failed: the others are asked for again.
    if (isLost ? numbers.includes(this.center) : numbers.length === 1) for (const at of numbers) this.failures.set(at, error);
  }

  private async fetch(low: number, count: number): Promise<ArrayBuffer> {
    const { instance, frame } = this.places[low] as FramePlace;
    const query: Record<string, string> = { rescale: "0" };
    let path = `instances/${part(instance)}/frames/${frame}/numpy`;
    if (count > 1 && this.places[low + 1]?.instance === instance) {
      path = `instances/${part(instance)}/numpy`;
      query.frames = `${frame}:${frame + count}`;
    } else if (count > 1) {
      path = `series/${part(this.series)}/numpy`;
      query.slices = `${low}:${low + count}`;
    }
    return (await request("GET", path, null, { query, signal: this.stop.signal })).arrayBuffer();
  }

  private keep(at: number, frame: Frame): void {
    const size = sizeOf(frame);
    this.frameBytes = Math.max(this.frameBytes, size);
    this.frames.set(at, frame);
    this.held += size;
    while (this.held > BUDGET_BYTES && this.frames.size > 1) this.forgetFarthest();
  }

  private forgetFarthest(): void {
    let farthest = -1;
    for (const at of this.frames.keys()) {
      if (farthest < 0 || Math.abs(at - this.center) > Math.abs(farthest - this.center)) farthest = at;
    }
    const frame = this.frames.get(farthest);
    if (frame) this.held -= sizeOf(frame);
    this.frames.delete(farthest);
  }
}

function sizeOf({ values, codes }: Frame): number {
  return values.byteLength + (codes.buffer === values.buffer ? 0 : codes.byteLength);
}
