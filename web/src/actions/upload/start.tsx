// Begins uploads and shows how they went.

import { activity } from "../../components/activities";
import { openDialog } from "../../components/dialog";
import { toast } from "../../components/toasts";
import type { Collected } from "./collect";
import { say } from "./texts";
import { Upload } from "./upload";
import { UploadDialog } from "./upload_dialog";
import { uploaded } from "./uploaded";

export type Collect = (heard: (count: number) => void, stop: AbortSignal) => Promise<Collected>;

/** Sends what `collect` finds, with a dialog that may be closed meanwhile and is opened again by the activity. */
export async function startUpload(collect: Collect): Promise<void> {
  const found = await activity(say("reading"), (_progress, stop, relabel) => collect((count) => relabel(say("found", { count })), stop));
  if (found === null) return;
  if (!found.entries.length && !found.refused.length) {
    toast(say("nothing", { count: found.skipped }), "bad");
    return;
  }
  await run(new Upload(found));
}

const warn = (event: Event) => event.preventDefault();

async function run(upload: Upload): Promise<void> {
  const dialog = shower(upload);
  dialog.show();
  addEventListener("beforeunload", warn);
  await activity(say("title"), (progress, stop) => upload.run(progress, stop), dialog.show);
  removeEventListener("beforeunload", warn);
  uploaded.value++;
  if (dialog.isShown()) return;
  if (upload.refused.length || upload.leftCount) dialog.show();
  else toast(say("done"));
}

function shower(upload: Upload) {
  let isShown = false;
  return {
    isShown: () => isShown,
    show: () => {
      if (isShown) return;
      isShown = true;
      openDialog((close) => {
        const closed = () => { isShown = false; close(); };
        return <UploadDialog upload={upload} onClose={closed} again={() => { closed(); void run(upload); }} />;
      });
    },
  };
}
