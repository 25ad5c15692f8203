// Jobs: what the server does in the background.

import { ApiError, type Progress, events, get, post, remove } from "./client";

export type State = "Pending" | "Running" | "Paused" | "Success" | "Failure" | "Retry";

export interface Job {
  ID: string;
  Type: string;
  State: State;
  Progress: number;
  Priority: number;
  /** Moments of Orthanc, in UTC. */
  CreationTime: string;
  CompletionTime?: string;
  EstimatedTimeOfArrival?: string;
  /** Seconds. */
  EffectiveRuntime: number;
  ErrorCode: number;
  ErrorDescription: string;
  ErrorDetails: string;
  Content: Record<string, unknown>;
  UserData?: unknown;
}

export type JobEvent = Pick<Job, "ID" | "State" | "Progress" | "ErrorCode" | "ErrorDescription" | "ErrorDetails" | "EstimatedTimeOfArrival">;
export type JobAction = "cancel" | "pause" | "resume" | "resubmit";

export const isActive = (state: State) => state !== "Success" && state !== "Failure";

export function getJobs(stop?: AbortSignal): Promise<Job[]> {
  return get("jobs", { signal: stop, query: { expand: true } });
}

/** Tells of every job, and of each change of one; `null` is one that is no longer there. */
export function watchJobs(heard: (id: string, event: JobEvent | null) => void, stop: AbortSignal): void {
  events<JobEvent>("jobs", (event, kind) => heard(event.ID, kind === "forgotten" ? null : event), ["state", "progress", "forgotten"], stop);
}

export async function changeJob(id: string, action: JobAction): Promise<void> {
  await post(`jobs/${encodeURIComponent(id)}/${action}`, {});
}

/** Forgets a completed job. */
export async function forgetJob(id: string): Promise<void> {
  await remove(`jobs/${encodeURIComponent(id)}`);
}

export const getJob = (id: string, stop?: AbortSignal) => get<Job>(`jobs/${encodeURIComponent(id)}`, { signal: stop });

const HIDDEN = 2000; // milliseconds between two looks at a job of a page that is hidden; browsers make them longer

/** Until a job has ended, telling its percents. Raises ApiError where it failed; when `stop` says so it is cancelled. */
export async function followJob(id: string, progress: Progress, stop: AbortSignal): Promise<Job> {
  const ended = new AbortController();
  await new Promise<void>((resolve, reject) => {
    function heard(event: JobEvent): void {
      progress(event.Progress, 100);
      if (!isActive(event.State)) resolve();
    }
    stop.addEventListener("abort", () => changeJob(id, "cancel").then(() => reject(stop.reason), reject), { once: true });
    events<JobEvent>(`jobs/${encodeURIComponent(id)}/events`, heard, ["state", "progress"], ended.signal, undefined, resolve);
    // A hidden page has no stream, but what waits for the job goes on there too.
    const timer = setInterval(() => { if (document.hidden) getJob(id).then(heard, () => resolve()); }, HIDDEN);
    ended.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }).finally(() => ended.abort());
  let job = await getJob(id);
  while (isActive(job.State)) {  // its events were refused, as by a server that starts again
    await new Promise((resolve) => setTimeout(resolve, 1000));
    job = await getJob(id);
  }
  if (job.State === "Failure") throw new ApiError(500, [job.ErrorDescription, job.ErrorDetails].filter(Boolean).join(": "), job.ErrorCode);
  return job;
}
