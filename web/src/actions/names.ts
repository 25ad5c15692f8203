// What selected resources are called.

import type { Resource } from "../api/types";
import { formatName, tagsOf, titleOf } from "../dicom_text";

/** The patient and what it is: `Doe Jane, Thorax`. */
export function nameOf(resource: Resource): string {
  const patient = formatName(tagsOf(resource).PatientName ?? "");
  const title = titleOf(resource);
  return [...new Set([patient, title])].filter(Boolean).join(", ") || resource.ID;
}

/** A name that every system takes for a file. */
export function fileName(resources: readonly Resource[], several: string, ending: string): string {
  const [first] = resources;
  const name = first && resources.length === 1 ? nameOf(first) : several;
  const plain = name.replace(/[^\p{L}\p{N} ._-]+/gu, " ").replace(/\s+/g, " ").replace(/^[. ]+|[. ]+$/g, "").slice(0, 80).trim();
  return `${plain || several}.${ending}`;
}
