// Some series of a study go into a new one.

import { useState } from "preact/hooks";
import { getSeries } from "../../api/details";
import { split as order } from "../../api/modification";
import { may } from "../../api/session";
import type { Resource } from "../../api/types";
import { openDialog } from "../../components/dialog";
import { CheckField, TextField } from "../../components/fields";
import { titleOf } from "../../dicom_text";
import { resourceHref } from "../../router";
import { follow } from "../following";
import type { Selection } from "../registry";
import { nameOfSeries } from "./names";
import { OrderDialog } from "./order_dialog";
import { say } from "./texts";

export async function split({ resources: [study] }: Selection, changed: () => void): Promise<void> {
  if (!study) return;
  const series = await getSeries(study.ID);
  const job = await new Promise<string | null>((resolve) => {
    openDialog((close) => <SplitDialog study={study} series={series} onClose={(made) => { close(); resolve(made); }} />);
  });
  if (job === null) return;
  const isDone = await follow(job, {
    label: say("splitting", { what: titleOf(study) }),
    done: ({ Content: content }) => ({
      text: say("done", { count: Number(content.InstancesCount) }),
      link: { label: say("open"), href: resourceHref("Study", String(content.TargetStudy)) },
    }),
  });
  if (isDone) changed();
}

interface Properties {
  study: Resource;
  series: Resource[];
  onClose: (job: string | null) => void;
}

function SplitDialog({ study, series, onClose }: Properties) {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [description, setDescription] = useState(study.MainDicomTags.StudyDescription ?? "");
  const [isKept, setKept] = useState(!may("delete"));
  const count = chosen.length;
  const isEmptied = count === series.length && !isKept;
  const replace = description === (study.MainDicomTags.StudyDescription ?? "") ? {} : { StudyDescription: description };
  return (
    <OrderDialog title={say("splitTitle")} yes={say("split")} canStart={count > 0} onClose={onClose}
      start={() => order(study.ID, { Series: chosen, Replace: replace, KeepSource: isKept })}>
      <p class="quiet">{say("aboutSplit")}</p>
      <fieldset>
        <legend>{say("series")}</legend>
        {series.map((each) => (
          <CheckField key={each.ID} label={nameOfSeries(each)} value={chosen.includes(each.ID)}
            onValue={(isOn) => setChosen((before) => (isOn ? [...before, each.ID] : before.filter((other) => other !== each.ID)))} />
        ))}
      </fieldset>
      <TextField label={say("description")} value={description} onValue={setDescription} />
      {may("delete") && <CheckField label={say("keepSource")} value={isKept} onValue={setKept} />}
      <p class={`consequence ${isEmptied ? "warns" : ""}`} role="status">
        {count === 0 ? say("chooseSome") : say(isKept ? "splitCopies" : "splitMoves", { count })}{isEmptied && ` ${say("allLeave")}`}
      </p>
    </OrderDialog>
  );
}
