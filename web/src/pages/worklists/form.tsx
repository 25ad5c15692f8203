// The form of a worklist. Tags that it does not show stay as they are.

import { useState } from "preact/hooks";
import { messageOf } from "../../api/client";
import { type Worklist, type WorklistTags, createWorklist, replaceWorklist } from "../../api/worklists";
import { Dialog } from "../../components/dialog";
import { TextField } from "../../components/fields";
import { Refusal } from "../../components/refusal";
import { say } from "./texts";

export const STEP = "ScheduledProcedureStepSequence";
const PATIENT = ["PatientName", "PatientID", "PatientBirthDate", "PatientSex"] as const;
const REQUEST = ["AccessionNumber", "RequestedProcedureDescription", "ReferringPhysicianName"] as const;
const OF_STEP = ["Modality", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "ScheduledStationAETitle", "ScheduledProcedureStepDescription"] as const;
type Field = (typeof PATIENT | typeof REQUEST | typeof OF_STEP)[number];

/** The first step of a worklist, in which what is examined stands. */
export function stepOf(tags: WorklistTags): WorklistTags {
  const steps = tags[STEP];
  return Array.isArray(steps) && steps.length ? steps[0] as WorklistTags : {};
}

export const textOf = (tags: WorklistTags, field: string) => (typeof tags[field] === "string" ? tags[field] : "");
const isDate = (field: Field) => field.endsWith("Date");
const isTime = (field: Field) => field.endsWith("Time");

function shown(field: Field, text: string): string {
  if (isDate(field)) return text.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3");
  return isTime(field) ? text.replace(/^(\d\d)(\d\d).*$/, "$1:$2") : text;
}

function written(field: Field, text: string): string {
  return isDate(field) || isTime(field) ? text.replace(/[-:]/g, "") : text;
}

/** `worklist` is null for a new one. */
export function WorklistForm({ worklist, onClose }: { worklist: Worklist | null; onClose: (isChanged: boolean) => void }) {
  const before = worklist?.Tags ?? {};
  const step = stepOf(before);
  const [values, setValues] = useState<Partial<Record<Field, string>>>({});
  const [error, setError] = useState("");

  const beforeOf = (field: Field) => textOf(OF_STEP.some((each) => each === field) ? step : before, field);
  const changed = (fields: readonly Field[]) => Object.fromEntries(
    fields.flatMap((field) => (values[field] === undefined ? [] : [[field, written(field, values[field] ?? "")]])),
  );

  function save(event: Event): void {
    event.preventDefault();
    setError("");
    const steps = Array.isArray(before[STEP]) ? before[STEP].slice(1) : [];
    const tags = { ...before, ...changed([...PATIENT, ...REQUEST]), [STEP]: [{ ...step, ...changed(OF_STEP) }, ...steps] };
    (worklist ? replaceWorklist(worklist.ID, tags) : createWorklist(tags)).then(() => onClose(true), (refused) => setError(messageOf(refused)));
  }

  const field = (name: Field) => (
    <TextField key={name} label={say(name)} type={isDate(name) ? "date" : "text"} autocomplete="off" value={values[name] ?? shown(name, beforeOf(name))}
      hint={name === "PatientName" ? say("nameHint") : isTime(name) ? say("timeHint") : undefined} onValue={(value) => setValues({ ...values, [name]: value })} />
  );
  return (
    <Dialog title={say(worklist ? "change" : "add")} onClose={() => onClose(false)} wide>
      <form class="worklist-form" onSubmit={save}>
        <div class="content">
          {worklist && <p class="quiet">{say("others")}</p>}
          <fieldset><legend>{say("patient")}</legend><div class="worklist-fields">{PATIENT.map(field)}</div></fieldset>
          <fieldset><legend>{say("examination")}</legend><div class="worklist-fields">{OF_STEP.map(field)}{REQUEST.map(field)}</div></fieldset>
        </div>
        <Refusal text={error} />
        <footer>
          <button type="button" onClick={() => onClose(false)}>{say("cancel")}</button>
          <button type="submit" class="primary">{say("save")}</button>
        </footer>
      </form>
    </Dialog>
  );
}
