// The series of a study of another server.

import type { Answer } from "../../api/query";
import { Dialog } from "../../components/dialog";
import { Icon } from "../../components/icon";
import { Failure, Loading } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { Value } from "../../components/value";
import { useLoaded } from "../../hooks";
import { say } from "./texts";

interface Properties {
  study: Answer;
  title: string;
  retrieve: (series: Answer) => void;
  onClose: () => void;
}

export function SeriesDialog({ study, title, retrieve, onClose }: Properties) {
  const found = useLoaded((stop) => study.series(stop), [study]);
  return (
    <Dialog title={title} onClose={onClose} wide>
      <div class="content query-series">
        {found.error ? <Failure error={found.error} retry={found.reload} />
          : !found.value ? <Loading />
          : <Table label={title} columns={columns(retrieve)} rows={found.value} keyOf={({ tags }) => tags.SeriesInstanceUID ?? ""} nameOf={({ tags }) => tags.SeriesDescription ?? ""} />}
      </div>
    </Dialog>
  );
}

function columns(retrieve: (series: Answer) => void): Column<Answer>[] {
  const text = (id: string, label: string, isNumber = false): Column<Answer> => ({ id, label, isNumber, cell: ({ tags }) => <Value text={tags[id] ?? ""} short /> });
  return [
    text("SeriesNumber", say("number"), true), text("Modality", say("modality")), text("SeriesDescription", say("StudyDescription")), text("BodyPartExamined", say("bodyPart")),
    text("NumberOfSeriesRelatedInstances", say("NumberOfStudyRelatedInstances"), true),
    {
      id: "actions", label: say("actions"),
      cell: (series) => (
        <button type="button" aria-label={`${say("retrieve")}: ${series.tags.SeriesDescription || series.tags.SeriesInstanceUID}`} onClick={() => retrieve(series)}>
          <Icon name="download" /> {say("retrieve")}
        </button>
      ),
    },
  ];
}
