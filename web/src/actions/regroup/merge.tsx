// Series of several studies come into one of them.

import { useState } from "preact/hooks";
import { getStudies } from "../../api/details";
import { merge as order } from "../../api/modification";
import { may } from "../../api/session";
import type { Resource } from "../../api/types";
import { openDialog } from "../../components/dialog";
import { CheckField, SelectField } from "../../components/fields";
import { formatName, tagsOf, titleOf } from "../../dicom_text";
import { formatDate } from "../../i18n";
import { resourceHref } from "../../router";
import { follow } from "../following";
import type { Selection } from "../registry";
import { OrderDialog } from "./order_dialog";
import { say } from "./texts";

/** Of several studies one stays; a single one is offered with the others of its patient. */
export async function merge({ resources }: Selection, changed: () => void): Promise<void> {
  const [first] = resources;
  if (!first) return;
  const isSingle = resources.length === 1;
  const studies = isSingle && first.ParentPatient ? await getStudies(first.ParentPatient) : resources;
  let target = first.ID;
  const job = await new Promise<string | null>((resolve) => {
    openDialog((close) => (
      <MergeDialog studies={studies} first={first.ID} chosen={isSingle ? [] : studies.map((each) => each.ID)}
        onClose={(made, into) => { close(); target = into; resolve(made); }} />
    ));
  });
  if (job === null) return;
  const isDone = await follow(job, {
    label: say("merging", { what: titleOf(first) }),
    done: ({ Content: content }) => ({
      text: say("done", { count: Number(content.InstancesCount) }), link: { label: say("open"), href: resourceHref("Study", target) },
    }),
  });
  if (isDone) changed();
}

interface Properties {
  studies: readonly Resource[];
  first: string;
  chosen: readonly string[];
  onClose: (job: string | null, target: string) => void;
}

function MergeDialog({ studies, first, chosen: before, onClose }: Properties) {
  const [target, setTarget] = useState(first);
  const [chosen, setChosen] = useState(before);
  const [isKept, setKept] = useState(!may("delete"));
  const into = studies.find((each) => each.ID === target);
  const moved = chosen.filter((each) => each !== target);
  const patients = new Set(studies.filter(({ ID: id }) => id === target || moved.includes(id)).map((each) => tagsOf(each).PatientID));
  const others = studies.filter((each) => each.ID !== target);
  return (
    <OrderDialog title={say("mergeTitle")} yes={say("merge")} canStart={moved.length > 0} onClose={(job) => onClose(job, target)}
      start={() => order(target, { Resources: moved, KeepSource: isKept })}>
      <p class="quiet">{say("aboutMerge")}</p>
      <SelectField label={say("into")} value={target} options={studies.map((each) => ({ value: each.ID, label: nameOf(each) }))} onValue={setTarget} />
      <fieldset>
        <legend>{say("candidates")}</legend>
        {others.length === 0 && <p>{say("noOthers")}</p>}
        {others.map((each) => (
          <CheckField key={each.ID} label={nameOf(each)} value={chosen.includes(each.ID)}
            onValue={(isOn) => setChosen((before) => (isOn ? [...before, each.ID] : before.filter((other) => other !== each.ID)))} />
        ))}
      </fieldset>
      {may("delete") && <CheckField label={say("keepOthers")} value={isKept} onValue={setKept} />}
      {moved.length > 0 && into && (
        <p class={`consequence ${patients.size > 1 ? "warns" : ""}`} role="status">
          {say(isKept ? "mergeCopies" : "mergeMoves", { count: moved.length, target: titleOf(into) })}
          {patients.size > 1 && ` ${say("otherPatients", { patient: formatName(tagsOf(into).PatientName ?? "") })}`}
        </p>
      )}
    </OrderDialog>
  );
}

function nameOf(study: Resource): string {
  const { PatientName: name = "", StudyDate: date = "", StudyDescription: description, AccessionNumber: accession } = tagsOf(study);
  return [formatDate(date), formatName(name), description, accession].filter(Boolean).join(" · ");
}
