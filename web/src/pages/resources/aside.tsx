// At the side of a resource: labels, main tags, all tags of its level, metadata, attachments.

import { useState } from "preact/hooks";
import { address, part } from "../../api/client";
import { getAttachments } from "../../api/details";
import { pathOf } from "../../api/resources";
import { Icon } from "../../components/icon";
import { Failure, Loading } from "../../components/states";
import { Tabs } from "../../components/tabs";
import { Value } from "../../components/value";
import { formatValue, tagsOf, wordsOf } from "../../dicom_text";
import { useLoaded } from "../../hooks";
import { formatBytes, formatMoment } from "../../i18n";
import { LabelEditor } from "./label_editor";
import { Metadata } from "./metadata";
import type { Shown } from "./resource_page";
import { TagTree } from "./tag_tree";
import { say } from "./texts";

export function Aside({ shown }: { shown: Shown }) {
  const { resource } = shown;
  const [tab, setTab] = useState("details");
  return (
    <aside class="card" aria-label={say("details")}>
      <LabelEditor level={resource.Type} id={resource.ID} known={resource.Labels ?? []} />
      <Tabs label={say("details")} shown={tab} onShow={setTab} tabs={[
        { id: "details", label: say("details"), content: () => <Facts shown={shown} /> },
        // Those of an instance are its main content.
        ...(resource.Type === "Instance" ? [] : [{ id: "tags", label: say("tags"), content: () => <TagTree level={resource.Type} id={resource.ID} /> }]),
        { id: "metadata", label: say("metadata"), content: () => <Metadata level={resource.Type} id={resource.ID} /> },
        { id: "attachments", label: say("attachments"), content: () => <Attachments shown={shown} /> },
      ]} />
    </aside>
  );
}

function Facts({ shown: { resource } }: { shown: Shown }) {
  const tags = Object.entries(tagsOf(resource)).filter(([, value]) => value);
  const rows: [string, string][] = tags.map(([keyword, value]) => [wordsOf(keyword), formatValue(keyword, value)]);
  if (resource.LastUpdate) rows.push([say("lastUpdate"), formatMoment(resource.LastUpdate)]);
  if (resource.FileSize !== undefined) rows.push([say("size"), formatBytes(resource.FileSize)]);
  rows.push(["ID", resource.ID]);
  return <Pairs rows={rows} />;
}

function Pairs({ rows }: { rows: [string, string][] }) {
  if (!rows.length) return <p class="quiet">{say("nothing")}</p>;
  return (
    <dl class="pairs">
      {rows.map(([name, value]) => <div key={name}><dt>{name}</dt><dd><Value text={value} /></dd></div>)}
    </dl>
  );
}

function Attachments({ shown: { resource } }: { shown: Shown }) {
  const found = useLoaded((stop) => getAttachments(resource.Type, resource.ID, stop), [resource.ID]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.value) return <Loading />;
  if (!found.value.length) return <p class="quiet">{say("nothing")}</p>;
  return (
    <ul class="attachments">
      {found.value.map((each) => (
        <li key={each.name}>
          <span class="attachment-name"><Value text={each.name} /> <span class="quiet">{formatBytes(each.UncompressedSize)}</span></span>
          <a class="button" download href={address(`${pathOf(resource.Type, resource.ID)}/attachments/${part(each.name)}/data`)}><Icon name="download" /> {say("download")}</a>
        </li>
      ))}
    </ul>
  );
}
