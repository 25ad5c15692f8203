// The columns of the list of studies; which of them are shown the browser remembers.

import { signal } from "@preact/signals";
import type { Resource } from "../../api/types";
import { Labels } from "../../components/labels";
import type { Item } from "../../components/menu";
import type { Column } from "../../components/table";
import { Value } from "../../components/value";
import { formatMoment, formatNumber } from "../../i18n";
import { formatValue, tagsOf } from "../../dicom_text";
import { resourceHref } from "../../router";
import { remember, remembered } from "../../storage";
import { say } from "./texts";

type Name = Parameters<typeof say>[0];

interface Kind {
  id: Name;
  /** Asked of the server beside the main tags. */
  isRequested?: boolean;
  isNumber?: boolean;
  isWhole?: boolean;
  isNewestFirst?: boolean;
  /** The index holds what it is sorted by. */
  canSort?: boolean;
}

const KINDS: readonly Kind[] = [
  { id: "PatientName", canSort: true },
  { id: "PatientID", canSort: true },
  { id: "PatientBirthDate", isWhole: true, canSort: true },
  { id: "PatientSex" },
  { id: "StudyDate", isWhole: true, canSort: true, isNewestFirst: true },
  { id: "StudyTime", isWhole: true },
  { id: "ModalitiesInStudy", isRequested: true },
  { id: "StudyDescription", canSort: true },
  { id: "AccessionNumber", canSort: true },
  { id: "Labels" },
  { id: "Series", isNumber: true },
  { id: "NumberOfStudyRelatedInstances", isRequested: true, isNumber: true },
  { id: "ReferringPhysicianName", canSort: true },
  { id: "InstitutionName", canSort: true },
  { id: "StudyID" },
  { id: "LastUpdate", isWhole: true, canSort: true, isNewestFirst: true },
];
const FIRST_SHOWN: readonly Name[] = [
  "PatientName", "PatientID", "PatientBirthDate", "StudyDate", "ModalitiesInStudy", "StudyDescription", "AccessionNumber", "Labels", "Series", "NumberOfStudyRelatedInstances",
];

const chosen = signal<readonly string[]>(remembered("studies.columns", FIRST_SHOWN));
// The name is what a study is opened by, and cannot be switched off.
const shownKinds = () => KINDS.filter(({ id }) => id === "PatientName" || chosen.value.includes(id));

export function requestedTags(): string[] {
  return shownKinds().filter((each) => each.isRequested).map((each) => each.id);
}

export function columns(): Column<Resource>[] {
  return shownKinds().map(({ isRequested, ...kind }) => ({ ...kind, label: say(kind.id), cell: (row) => cell(kind.id, row) }));
}

function cell(id: Name, row: Resource) {
  const tags = tagsOf(row);
  if (id === "Labels") return <Labels labels={row.Labels ?? []} />;
  if (id === "Series") return formatNumber(row.Series?.length ?? 0);
  if (id === "LastUpdate") return formatMoment(row.LastUpdate ?? "");
  if (id === "NumberOfStudyRelatedInstances") return formatNumber(Number(tags[id] ?? 0));
  const text = formatValue(id, tags[id]);
  if (id !== "PatientName") return <Value short text={text} />;
  return <a href={resourceHref("Study", row.ID)} tabIndex={-1}><Value short text={text || tags.PatientID || "–"} /></a>;
}

/** Items that switch columns on and off. */
export function columnItems(): Item[] {
  return KINDS.map(({ id }) => ({
    id, label: say(id), checked: id === "PatientName" || chosen.value.includes(id), disabled: id === "PatientName",
    run: () => {
      chosen.value = chosen.value.includes(id) ? chosen.value.filter((each) => each !== id) : [...chosen.value, id];
      remember("studies.columns", chosen.value);
    },
  }));
}
