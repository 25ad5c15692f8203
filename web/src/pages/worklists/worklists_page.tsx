// The worklists of this server: what modalities shall examine.

import { ApiError } from "../../api/client";
import { mayModify } from "../../api/session";
import { type Worklist, getWorklists, removeWorklist } from "../../api/worklists";
import { confirmed, openDialog } from "../../components/dialog";
import { Icon } from "../../components/icon";
import { Empty, Failure, Loading } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { formatName, formatValue } from "../../dicom_text";
import { useLoaded, useTitle } from "../../hooks";
import { WorklistForm, stepOf, textOf } from "./form";
import { say } from "./texts";

export default function WorklistsPage() {
  useTitle(say("title"));
  const found = useLoaded(getWorklists, []);
  const edit = (worklist: Worklist | null) => openDialog((close) => (
    <WorklistForm worklist={worklist} onClose={(isChanged) => { close(); if (isChanged) found.reload(); }} />
  ));

  async function discard(worklist: Worklist): Promise<void> {
    if (!await confirmed({ title: say("remove"), text: <Value text={say("sure", { what: nameOf(worklist) })} />, yes: say("remove"), danger: true })) return;
    await removeWorklist(worklist.ID);
    found.reload();
  }

  if (found.error instanceof ApiError && found.error.status === 404) return <Empty><h1>{say("title")}</h1>{say("off")}</Empty>;
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.value) return <Loading />;
  const mayEdit = mayModify();
  const rows = [...found.value].sort((a, b) => momentOf(a).localeCompare(momentOf(b)));
  const actions: Column<Worklist> = {
    id: "actions", label: say("actions"),
    cell: (row) => (
      <span class="row-actions">
        <button type="button" class="plain" aria-label={`${say("edit")}: ${nameOf(row)}`} onClick={() => edit(row)}><Icon name="edit" /></button>
        <button type="button" class="plain" aria-label={`${say("remove")}: ${nameOf(row)}`} onClick={() => { discard(row).catch(toastError); }}><Icon name="delete" /></button>
      </span>
    ),
  };
  return (
    <div class="worklists">
      <header>
        <h1>{say("title")}</h1><span class="push" />
        {mayEdit && <button type="button" class="primary" onClick={() => edit(null)}><Icon name="plus" /> {say("add")}</button>}
      </header>
      {rows.length
        ? <Table label={say("title")} columns={mayEdit ? [...columns(), actions] : columns()} rows={rows} keyOf={(row) => row.ID} nameOf={nameOf} {...(mayEdit ? { onOpen: edit } : {})} />
        : <Empty>{say("none")}</Empty>}
    </div>
  );
}

const nameOf = ({ ID: id, Tags: tags }: Worklist) => formatName(textOf(tags, "PatientName")) || textOf(tags, "PatientID") || id;
const momentOf = ({ Tags: tags }: Worklist) => textOf(stepOf(tags), "ScheduledProcedureStepStartDate") + textOf(stepOf(tags), "ScheduledProcedureStepStartTime");

function columns(): Column<Worklist>[] {
  const SHOWN = ["PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "RequestedProcedureDescription"] as const;
  const OF_STEP = ["ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality", "ScheduledStationAETitle"] as const;
  return [
    ...OF_STEP.map((id): Column<Worklist> => ({ id, label: say(id), isWhole: true, cell: ({ Tags: tags }) => <Value text={formatValue(id, textOf(stepOf(tags), id))} short /> })),
    ...SHOWN.map((id): Column<Worklist> => ({ id, label: say(id), isWhole: id.endsWith("Date"), cell: ({ Tags: tags }) => <Value text={formatValue(id, textOf(tags, id))} short /> })),
  ];
}
