// Jobs that an action has begun: seen as they go on, and at their end where their result is.

import { followJob, type Job } from "../api/jobs";
import { activity } from "../components/activities";
import { type Link, toast } from "../components/toasts";

interface Texts {
  /** What goes on. */
  label: string;
  /** What is said at the end, with a link to what was made. */
  done: (job: Job) => { text: string; link?: Link | undefined };
}

/** Shows the job until it has ended; what fails is shown too. True if it succeeded. */
export async function follow(id: string, { label, done }: Texts): Promise<boolean> {
  const job = await activity(label, (progress, stop) => followJob(id, progress, stop));
  if (job === null) return false;
  const { text, link } = done(job);
  toast(text, "good", link);
  return true;
}
