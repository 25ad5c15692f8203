// What is no stack of pictures: documents, videos, reports, and what cannot be shown. One instance at a time.

import { useState } from "preact/hooks";
import { address, part } from "../api/client";
import { Icon } from "../components/icon";
import { Failure, Loading } from "../components/states";
import { useLoaded } from "../hooks";
import { resourceHref } from "../router";
import { described } from "./content";
import { ReportView } from "./report_view";
import { sopClassName } from "./sop_classes";
import { type Tags, textOf } from "./tags";
import { say } from "./texts";

export function DocumentView({ instances }: { instances: string[] }) {
  const [at, setAt] = useState(0);
  const instance = instances[at];
  if (instance === undefined) return null;
  return (
    <div class="viewer-document">
      {instances.length > 1 && (
        <div class="row">
          <button type="button" disabled={at === 0} onClick={() => setAt(at - 1)}>{say("previous")}</button>
          <span role="status">{say("document", { at: at + 1, count: instances.length })}</span>
          <button type="button" disabled={at === instances.length - 1} onClick={() => setAt(at + 1)}>{say("next")}</button>
        </div>
      )}
      <Instance key={instance} id={instance} />
    </div>
  );
}

function Instance({ id }: { id: string }) {
  const found = useLoaded((stop) => described(id, stop), [id]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.value) return <Loading />;
  const { tags, kind } = found.value;
  if (kind === "pdf") return <Pdf id={id} />;
  if (kind === "video") return <Video id={id} />;
  if (kind === "report") return <ReportView tags={tags} />;
  return <Other id={id} tags={tags} />;
}

function Pdf({ id }: { id: string }) {
  const url = address(`instances/${part(id)}/pdf`);
  return (
    <>
      <p><a href={url} target="_blank" rel="noopener"><Icon name="link" /> {say("openAlone")}</a></p>
      <iframe class="viewer-frame" src={url} title={say("isPdf")} />
    </>
  );
}

function Video({ id }: { id: string }) {
  const [hasFailed, setFailed] = useState(false);
  const url = address(`instances/${part(id)}/frames/0/raw`);
  return (
    <>
      {hasFailed && <p role="alert"><Icon name="error" /> {say("noVideo")} <a href={url} download={`${id}.mp4`}>{say("download")}</a></p>}
      <video class="viewer-frame" src={url} controls playsInline aria-label={say("isVideo")} onError={() => setFailed(true)} />
    </>
  );
}

function Other({ id, tags }: { id: string; tags: Tags }) {
  const uid = textOf(tags, "SOPClassUID");
  return (
    <div class="state">
      <p><Icon name="warning" /> {say("otherKind", { kind: sopClassName(uid) ?? say("unknownKind", { uid }) })}</p>
      <p class="row"><a href={resourceHref("Instance", id)}>{say("tags")}</a> <a href={address(`instances/${part(id)}/file`)} download={`${id}.dcm`}>{say("download")}</a></p>
    </div>
  );
}
