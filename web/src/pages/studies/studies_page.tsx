// The studies of the server.

import { find } from "../../api/resources";
import type { Resource } from "../../api/types";
import { Empty, Failure, Loading } from "../../components/states";
import { type Column, Table } from "../../components/table";
import { Value } from "../../components/value";
import { formatValue, tagsOf } from "../../dicom_text";
import { useLoaded, useTitle } from "../../hooks";
import { go, resourceHref } from "../../router";
import { say } from "./texts";

const COLUMNS = [
  ["PatientName", "patient"], ["PatientID", "patientId"], ["StudyDate", "date"], ["ModalitiesInStudy", "modality"],
  ["StudyDescription", "description"], ["AccessionNumber", "accession"],
] as const;

export default function StudiesPage() {
  useTitle(say("title"));
  const studies = useLoaded((stop) => find({ Level: "Study", Query: {} }, {
    Limit: 50, RequestedTags: ["ModalitiesInStudy"], OrderBy: [{ Type: "DicomTag", Key: "StudyDate", Direction: "DESC" }],
  }, stop), []);
  if (studies.error) return <Failure error={studies.error} retry={studies.reload} />;
  if (!studies.value) return <Loading />;
  if (!studies.value.length) return <Empty>{say("nothing")}</Empty>;
  const columns: Column<Resource>[] = COLUMNS.map(([tag, key]) => ({
    id: tag, label: say(key), isWhole: tag === "StudyDate", cell: (row) => <Value short text={formatValue(tag, tagsOf(row)[tag])} />,
  }));
  return (
    <>
      <h1 class="visually-hidden">{say("title")}</h1>
      <Table label={say("title")} columns={columns} rows={studies.value} keyOf={(row) => row.ID} nameOf={(row) => tagsOf(row).PatientName ?? ""}
      onOpen={(row) => go(resourceHref("Study", row.ID))} />
    </>
  );
}
