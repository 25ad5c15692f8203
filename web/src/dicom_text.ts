// Values of DICOM as people read them. They come from anywhere: they are shown as text, never as markup, and stand in a
// <bdi> so that letters from right to left do not turn what is around them (see components/value.tsx).

import { formatDate, formatTime } from "./i18n";
import type { Level, Resource, Tags } from "./api/types";

/** `DOE^JOHN^^DR` with spaces; groups of a name (ideographic, phonetic) apart. */
export function formatName(text: string): string {
  return text.split("=").map((group) => group.replace(/\^+/g, " ").trim()).filter(Boolean).join(" = ");
}

/** A value by the keyword of its tag. */
export function formatValue(keyword: string, value: string | null | undefined): string {
  if (!value) return "";
  if (keyword.endsWith("Date")) return formatDate(value);
  if (keyword.endsWith("Time")) return formatTime(value);
  if (keyword.endsWith("Name")) return formatName(value);
  return value.replaceAll("\\", ", ");
}

/** All tags that the server gave with a resource. */
export function tagsOf(resource: Resource): Tags {
  return { ...resource.PatientMainDicomTags, ...resource.MainDicomTags, ...resource.RequestedTags };
}

const TITLES: Record<Level, string[]> = {
  Patient: ["PatientName", "PatientID"],
  Study: ["StudyDescription", "StudyDate", "StudyInstanceUID"],
  Series: ["SeriesDescription", "Modality", "SeriesInstanceUID"],
  Instance: ["InstanceNumber", "SOPInstanceUID"],
};

/** What a resource is called: its first tag that says something, and an empty text without any. */
export function titleOf(resource: Resource): string {
  const keyword = TITLES[resource.Type].find((each) => resource.MainDicomTags[each]);
  return keyword ? formatValue(keyword, resource.MainDicomTags[keyword]) : "";
}

/** `StudyInstanceUID` as words. */
export function wordsOf(keyword: string): string {
  return keyword.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
}
