// What a rule would do with a study; nothing is sent.

import { useState } from "preact/hooks";
import { find } from "../../api/resources";
import { type Trial as Tried, tryRule } from "../../api/routing";
import type { Resource } from "../../api/types";
import { Dialog } from "../../components/dialog";
import { SelectField, TextField } from "../../components/fields";
import { Failure } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { Value } from "../../components/value";
import { formatName, tagsOf } from "../../dicom_text";
import { useLoaded, useSettled } from "../../hooks";
import { formatDate } from "../../i18n";
import { resourceHref } from "../../router";
import { say } from "./texts";

const OFFERED = 20;

async function newest(text: string, stop: AbortSignal): Promise<Resource[]> {
  const words = text.trim().replaceAll("\\", "?").replace(/\s+/g, "*");
  const page = { Limit: OFFERED, OrderBy: [{ Type: "Metadata" as const, Key: "LastUpdate", Direction: "DESC" as const }] };
  const by = async (tag: string) => (await find({ Level: "Study", Query: words ? { [tag]: `*${words}*` } : {} }, page, stop)).resources;
  const found = words ? (await Promise.all([by("PatientName"), by("StudyDescription")])).flat() : await by("");
  return [...new Map(found.map((each) => [each.ID, each])).values()].slice(0, OFFERED);
}

function nameOf(study: Resource): string {
  const { PatientName: name = "", StudyDate: date = "", StudyDescription: description } = tagsOf(study);
  return [formatName(name), formatDate(date), description].filter(Boolean).join(" · ");
}

export function Trial({ rule, onClose }: { rule: string; onClose: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState("");
  const settled = useSettled(text, 200);
  const studies = useLoaded((stop) => newest(settled, stop), [settled]);
  const offered = studies.value ?? [];
  const study = offered.some((each) => each.ID === chosen) ? chosen : offered[0]?.ID ?? "";
  const tried = useLoaded(async () => (study ? tryRule(rule, study) : null), [study]);
  return (
    <Dialog title={say("tryTitle", { rule })} onClose={onClose} wide>
      <div class="content trial">
        <p class="quiet">{say("about")}</p>
        <div class="trial-study">
          <TextField type="search" autocomplete="off" label={say("study")} value={text} onValue={setText} />
          <SelectField label={say("latest")} value={study} options={offered.map((each) => ({ value: each.ID, label: nameOf(each) }))} onValue={setChosen} />
        </div>
        {studies.value && !offered.length && <p>{say("noStudy")}</p>}
        {tried.error ? <Failure error={tried.error} retry={tried.reload} /> : tried.value && <Results trial={tried.value} />}
      </div>
    </Dialog>
  );
}

function Results({ trial }: { trial: Tried }) {
  const columns: Column<Tried["Results"][number]>[] = [
    { id: "resource", label: say("resource"), cell: (row) => <a href={resourceHref(row.ResourceType, row.ID)} class="mono">{row.ResourceType} {row.ID.slice(0, 8)}</a> },
    { id: "would", label: say("would"), isWhole: true, cell: (row) => (row.Matches ? say("matches", { count: row.InstancesCount ?? 0 }) : say("no")) },
    {
      id: "why", label: say("why"),
      cell: (row) => <Value text={row.ChangeError ?? row.Reason ?? Object.entries(row.Destinations ?? {}).map(([name, count]) => `${name}: ${count}`).join(", ")} />,
    },
  ];
  return (
    <>
      {!trial.Complete && <p>{say("incomplete")}</p>}
      <Table label={say("results")} columns={columns} rows={trial.Results} keyOf={(row) => row.ID} nameOf={(row) => row.ID} />
    </>
  );
}
