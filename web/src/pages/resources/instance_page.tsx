// An instance: its picture with all frames, and its tags.

import { useState } from "preact/hooks";
import { address, part } from "../../api/client";
import type { Resource } from "../../api/types";
import type { PageProperties } from "../registry";
import { Icon } from "../../components/icon";
import { ResourcePage, type Shown } from "./resource_page";
import { Stack, picturesOf } from "./stack";
import { Facts } from "./study_page";
import { TagTree } from "./tag_tree";
import { say } from "./texts";
import { formatBytes } from "../../i18n";

const PDF = "1.2.840.10008.5.1.4.1.1.104.1";

export default function InstancePage({ query }: PageProperties) {
  return (
    <ResourcePage level="Instance" id={query.get("uuid") ?? ""} facts={facts}>
      {({ resource }) => (
        <>
          <Frames key={resource.ID} instance={resource} />
          <h2 class="count">{say("tags")}</h2>
          <TagTree key={resource.ID} level="Instance" id={resource.ID} />
        </>
      )}
    </ResourcePage>
  );
}

function facts({ resource, above }: Shown) {
  const series = above[0]?.MainDicomTags ?? {};
  const frames = Number(resource.MainDicomTags.NumberOfFrames) || 0;
  return <Facts texts={[series.Modality, series.SeriesDescription, frames > 1 ? say("frameCount", { count: frames }) : "", formatBytes(resource.FileSize ?? 0)]} />;
}

function Frames({ instance }: { instance: Resource }) {
  const [shown, setShown] = useState(0);
  if (instance.RequestedTags?.SOPClassUID === PDF) {
    return <a class="button" href={address(`instances/${part(instance.ID)}/pdf`)}><Icon name="eye" /> {say("openPdf")}</a>;
  }
  return <Stack pictures={picturesOf([instance])} shown={shown} onShow={setShown} />;
}
