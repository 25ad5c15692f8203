// Series of several studies come into one of them.

import { useState } from "preact/hooks";
import { getSeries, getStudies } from "../../api/details";
import { merge as order } from "../../api/modification";
import { getResource } from "../../api/resources";
import { may } from "../../api/session";
import type { Resource } from "../../api/types";
import { openDialog } from "../../components/dialog";
import { CheckField, SelectField } from "../../components/fields";
import { Failure, Loading } from "../../components/states";
import { formatName, tagsOf, titleOf } from "../../dicom_text";
import { useLoaded } from "../../hooks";
import { resourceHref } from "../../router";
import { follow } from "../following";
import type { Selection } from "../registry";
import { nameOfSeries, nameOfStudy } from "./names";
import { OrderDialog } from "./order_dialog";
import { say } from "./texts";

/** What the dialog begins with. */
interface Begin {
  studies: readonly Resource[];
  /** The study that stays. */
  target: string;
  /** The series that go into it. */
  chosen: readonly string[];
}

/** Of several studies one stays. A single one is offered with the others of its patient, a series with those to which it
 * could go. */
async function begin({ level, resources }: Selection): Promise<Begin | null> {
  const [first] = resources;
  if (!first) return null;
  if (level === "Study" && resources.length > 1) return { studies: resources, target: first.ID, chosen: resources.flatMap(seriesOf) };
  const study = level === "Series" && first.ParentStudy ? await getResource("Study", first.ParentStudy) : first;
  const studies = study.ParentPatient ? await getStudies(study.ParentPatient) : [study];
  if (level === "Study") return { studies, target: study.ID, chosen: [] };
  return { studies, target: studies.find(({ ID: id }) => id !== study.ID)?.ID ?? study.ID, chosen: resources.map(({ ID: id }) => id) };
}

export async function merge(selection: Selection, changed: () => void): Promise<void> {
  const first = await begin(selection);
  if (!first) return;
  let target = first.target;
  const job = await new Promise<string | null>((resolve) => {
    openDialog((close) => <MergeDialog first={first} onClose={(made, into) => { close(); target = into; resolve(made); }} />);
  });
  if (job === null) return;
  const [resource] = selection.resources;
  const isDone = await follow(job, {
    label: say("merging", { what: resource ? titleOf(resource) : "" }),
    done: ({ Content: content }) => ({
      text: say("done", { count: Number(content.InstancesCount) }), link: { label: say("open"), href: resourceHref("Study", target) },
    }),
  });
  if (isDone) changed();
}

const seriesOf = ({ Series: series }: Resource) => series ?? [];

function MergeDialog({ first, onClose }: { first: Begin; onClose: (job: string | null, target: string) => void }) {
  const { studies } = first;
  const [target, setTarget] = useState(first.target);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(first.chosen));
  const [isKept, setKept] = useState(!may("delete"));
  const into = studies.find(({ ID: id }) => id === target);
  const others = studies.filter(({ ID: id }) => id !== target);
  const sources = others.filter((each) => seriesOf(each).some((id) => chosen.has(id)));
  const whole = sources.filter((each) => seriesOf(each).every((id) => chosen.has(id)));
  const moved = sources.flatMap(seriesOf).filter((id) => chosen.has(id));
  const isOfOthers = into !== undefined && sources.some((each) => tagsOf(each).PatientID !== tagsOf(into).PatientID);

  function choose(ids: readonly string[], isOn: boolean): void {
    setChosen((before) => new Set(isOn ? [...before, ...ids] : [...before].filter((id) => !ids.includes(id))));
  }

  return (
    <OrderDialog title={say("mergeTitle")} yes={say("merge")} canStart={moved.length > 0} onClose={(job) => onClose(job, target)}
      start={() => order(target, { Resources: moved, KeepSource: isKept })}>
      <p class="quiet">{say("aboutMerge")}</p>
      <SelectField label={say("into")} value={target} options={studies.map((each) => ({ value: each.ID, label: nameOfStudy(each) }))} onValue={setTarget} />
      <fieldset>
        <legend>{say("candidates")}</legend>
        {others.length === 0 && <p>{say("noOthers")}</p>}
        {others.map((each) => <Source key={each.ID} study={each} chosen={chosen} choose={choose} />)}
      </fieldset>
      {may("delete") && <CheckField label={say("keepOthers")} value={isKept} onValue={setKept} />}
      {moved.length > 0 && into && (
        <p class={`consequence ${isOfOthers ? "warns" : ""}`} role="status">
          {say(isKept ? "mergeCopies" : "mergeMoves", { count: moved.length, target: titleOf(into) })}
          {!isKept && whole.length > 0 && ` ${say("mergeGone", { count: whole.length })}`}
          {isOfOthers && ` ${say("otherPatients", { patient: formatName(tagsOf(into).PatientName ?? "") })}`}
        </p>
      )}
    </OrderDialog>
  );
}

interface SourceProperties {
  study: Resource;
  chosen: ReadonlySet<string>;
  choose: (series: readonly string[], isOn: boolean) => void;
}

/** A study of which all series can be chosen, or some. */
function Source({ study, chosen, choose }: SourceProperties) {
  const all = seriesOf(study);
  const count = all.filter((id) => chosen.has(id)).length;
  const isPartly = count > 0 && count < all.length;
  const [isOpen, setOpen] = useState(isPartly);
  return (
    <>
      <CheckField label={nameOfStudy(study)} value={count === all.length} isPartly={isPartly} onValue={(isOn) => choose(all, isOn)} />
      {all.length > 1 && (
        <details class="some-series" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>{say("someSeries", { chosen: count, count: all.length })}</summary>
          {isOpen && <SeriesOf study={study} chosen={chosen} choose={choose} />}
        </details>
      )}
    </>
  );
}

function SeriesOf({ study, chosen, choose }: SourceProperties) {
  const found = useLoaded((stop) => getSeries(study.ID, stop), [study.ID]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.value) return <Loading />;
  return <>{found.value.map((each) => <CheckField key={each.ID} label={nameOfSeries(each)} value={chosen.has(each.ID)} onValue={(isOn) => choose([each.ID], isOn)} />)}</>;
}
