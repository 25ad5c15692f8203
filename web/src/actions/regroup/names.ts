// What studies and series are called where one chooses among them.

import type { Resource } from "../../api/types";
import { formatName, tagsOf } from "../../dicom_text";
import { formatDate } from "../../i18n";
import { say } from "./texts";

export function nameOfStudy(study: Resource): string {
  const { PatientName: name = "", StudyDate: date = "", StudyDescription: description, AccessionNumber: accession } = tagsOf(study);
  return [formatDate(date), formatName(name), description, accession].filter(Boolean).join(" · ");
}

export function nameOfSeries(series: Resource): string {
  const { Modality: modality = "", SeriesNumber: number, SeriesDescription: description } = series.MainDicomTags;
  const images = say("images", { count: series.Instances?.length ?? 0 });
  return [modality, number && `#${number}`, description || say("unnamed"), `(${images})`].filter(Boolean).join(" ");
}
