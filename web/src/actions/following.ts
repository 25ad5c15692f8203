// Jobs that an action has begun: seen as they go on, and at their end where their result is.

import { messageOf } from "../api/client";
import { followJob, type Job } from "../api/jobs";
import { activity } from "../components/activities";
import { type Link, toast } from "../components/toasts";
import { texts } from "../i18n";
import { href } from "../router";

const say = texts({
  en: { job: "Show the job" }, fr: { job: "Afficher la tâche" }, de: { job: "Auftrag anzeigen" }, es: { job: "Ver el trabajo" },
});

interface Result {
  text: string;
  link?: Link | undefined;
}

interface Texts {
  /** What goes on. */
  label: string;
  /** What is said at the end, with a link to what was made. */
  done: (job: Job) => Result | Promise<Result>;
}

/** Shows the job until it has ended, and gives it if it succeeded, else null: a failure is shown with its reason and the
 * way to the job. Who stops it cancels the job. */
export function followed(id: string, label: string): Promise<Job | null> {
  return activity(label, async (progress, stop) => {
    try {
      return await followJob(id, progress, stop);
    } catch (error) {
      stop.throwIfAborted();
      toast(`${label}: ${messageOf(error)}`, "bad", { href: href("jobs", { job: id }), label: say("job") });
      return null;
    }
  });
}

/** As `followed`, with a message at the end. True if the job succeeded. */
export async function follow(id: string, { label, done }: Texts): Promise<boolean> {
  const job = await followed(id, label);
  if (job === null) return false;
  const { text, link } = await done(job);
  toast(text, "good", link);
  return true;
}
