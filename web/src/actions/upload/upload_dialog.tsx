// How far an upload is, and what became of it.

import { getResource } from "../../api/resources";
import { Dialog } from "../../components/dialog";
import { Icon } from "../../components/icon";
import { LineList } from "../../components/line_list";
import { ProgressBar } from "../../components/progress_bar";
import { Value } from "../../components/value";
import { formatValue, tagsOf, titleOf } from "../../dicom_text";
import { useLoaded } from "../../hooks";
import { formatBytes } from "../../i18n";
import { resourceHref } from "../../router";
import { say } from "./texts";
import type { Upload } from "./upload";

const MOST_STUDIES = 20; // that are named

interface Properties {
  upload: Upload;
  onClose: () => void;
  /** Sends what a stopped upload has left. */
  again: () => void;
}

export function UploadDialog({ upload, onClose, again }: Properties) {
  useChanges(upload);
  const { phase, files, refused, leftCount } = upload;
  const hasEnded = phase === "done" || phase === "stopped";
  return (
    <Dialog title={say("title")} onClose={onClose} wide>
      <div class="content upload">
        <p role="status" class="upload-phase">{say(phase)}</p>
        <ProgressBar label={say("title")} done={upload.sentBytes} total={upload.bytes} />
        <p class="quiet">
          {say("progress", { done: files - leftCount, total: files, bytes: formatBytes(upload.sentBytes), all: formatBytes(upload.bytes) })}
        </p>
        {phase === "paused" && (
          <div role="alert" class="upload-problem"><Icon name="warning" /><div><p><Value text={upload.problem} /></p><p>{say("waiting")}</p></div></div>
        )}
        <Counts upload={upload} />
        {hasEnded && upload.studies.size > 0 && <Studies upload={upload} onClose={onClose} />}
        {refused.length > 0 && <LineList title={say("refusedFiles")} name="refused.txt" lines={refused.map(({ path, reason }) => `${path}: ${reason}`)} />}
        {leftCount > 0 && phase !== "sending" && <LineList title={say("leftFiles")} name="left.txt" lines={upload.left()} />}
      </div>
      <footer>
        {phase === "paused" && <button type="button" class="primary" onClick={() => upload.goOn()}>{say("goOn")}</button>}
        {phase === "stopped" && <button type="button" class="primary" onClick={again}>{say("goOn")}</button>}
        <button type="button" onClick={onClose}>{say(hasEnded ? "close" : "background")}</button>
      </footer>
    </Dialog>
  );
}

/** Shows a component anew when the upload has changed, which is the same object. */
function useChanges(upload: Upload): void {
  upload.changed.value;
}

function Counts({ upload }: { upload: Upload }) {
  useChanges(upload);
  const counts = [
    ["stored", upload.stored], ["known", upload.known], ["refused", upload.refused.length], ["skipped", upload.skipped], ["left", upload.leftCount],
  ] as const;
  return (
    <dl class="upload-counts">
      {counts.map(([name, count]) => (
        <div key={name}><dt>{say(name)}</dt><dd class={name === "refused" && count ? "bad" : ""}>{say("number", { count })}</dd></div>
      ))}
    </dl>
  );
}

function Studies({ upload, onClose }: Pick<Properties, "upload" | "onClose">) {
  const ids = [...upload.studies.keys()];
  const found = useLoaded((stop) => Promise.all(ids.slice(0, MOST_STUDIES).map((id) => getResource("Study", id, stop))), [ids.length]);
  return (
    <section>
      <h3>{say("studies", { count: ids.length })}</h3>
      <ul class="upload-studies">
        {found.value?.map((study) => {
          const name = formatValue("PatientName", tagsOf(study).PatientName) || tagsOf(study).PatientID || "–";
          return (
            <li key={study.ID}>
              <a href={resourceHref("Study", study.ID)} onClick={onClose}><Value text={name} short /></a>{" "}
              <span class="quiet"><Value text={titleOf(study)} short /> · {say("images", { count: upload.studies.get(study.ID) ?? 0 })}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
