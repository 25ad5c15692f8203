// The newest changes of what is stored, as they happen.

import { useEffect, useState } from "preact/hooks";
import { type Change, newest, watchChanges } from "../../api/changes";
import { CheckField } from "../../components/fields";
import { Empty, Failure, Loading } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { Value } from "../../components/value";
import { useLoaded, useTitle } from "../../hooks";
import { formatMoment } from "../../i18n";
import { go, resourceHref } from "../../router";
import { say } from "./texts";

const SHOWN = 200;
const OF_LEVELS = [
  "NewPatient", "NewStudy", "NewSeries", "StablePatient", "StableStudy", "StableSeries", "UpdatedMetadata", "UpdatedAttachment",
  "AnonymizedPatient", "AnonymizedStudy", "AnonymizedSeries", "ModifiedPatient", "ModifiedStudy", "ModifiedSeries",
];
const ALL = [...OF_LEVELS, "NewInstance", "NewChildInstance"];

export default function ChangesPage() {
  useTitle(say("title"));
  const [withInstances, setWithInstances] = useState(false);
  const types = withInstances ? ALL : OF_LEVELS;
  const found = useLoaded((stop) => newest(SHOWN, types, stop), [withInstances]);
  const [news, setNews] = useState<Change[]>([]);
  useEffect(() => {
    setNews([]);
    if (found.value === undefined || found.loading) return undefined;
    const stop = new AbortController();
    watchChanges(found.value.last, types, (change) => setNews((before) => [change, ...before].slice(0, SHOWN)), stop.signal);
    return () => stop.abort();
  }, [found.value, found.loading]);

  if (found.error && found.value === undefined) return <Failure error={found.error} retry={found.reload} />;
  if (found.value === undefined) return <Loading />;
  const changes = [...news, ...found.value.changes].slice(0, SHOWN);
  return (
    <div class="changes">
      <header>
        <h1>{say("title")}</h1><span class="quiet">{say("live")}</span>
        <CheckField label={say("instances")} value={withInstances} onValue={setWithInstances} />
      </header>
      {changes.length
        ? (
          <Table label={say("title")} columns={columns()} rows={changes} busy={found.loading} keyOf={(each) => String(each.Seq)}
            nameOf={(each) => each.ChangeType} onOpen={(each) => go(resourceHref(each.ResourceType, each.ID))} />
        )
        : <Empty>{say("none")}</Empty>}
    </div>
  );
}

function columns(): Column<Change>[] {
  return [
    { id: "when", label: say("when"), isWhole: true, cell: (each) => formatMoment(each.Date) },
    { id: "what", label: say("what"), cell: (each) => <span title={each.ChangeType}>{say(kindOf(each.ChangeType))}</span> },
    { id: "level", label: say("level"), cell: (each) => say(each.ResourceType) },
    { id: "resource", label: say("resource"), cell: (each) => <a href={resourceHref(each.ResourceType, each.ID)}><Value text={each.ID} /></a> },
    { id: "number", label: say("number"), isNumber: true, cell: (each) => each.Seq },
  ];
}

function kindOf(type: string) {
  if (type.startsWith("New")) return "New";
  if (type.startsWith("Stable")) return "Stable";
  if (type.startsWith("Deleted")) return "Deleted";
  return /^(Updated|Modified|Anonymized)/.test(type) ? "Updated" : "other";
}
