// What other servers have: asked by C-FIND or QIDO-RS, fetched by a job.

import { get, part, post } from "./client";
import type { Tags } from "./types";

export interface Remote {
  kind: "modality" | "web";
  name: string;
}

/** A study or series of another server. */
export interface Answer {
  tags: Tags;
  /** The series of a study. */
  series: (stop?: AbortSignal) => Promise<Answer[]>;
  /** Fetches it, as the server is configured to; gives the job. */
  retrieve: () => Promise<string>;
}

/** All modalities and servers of DICOMweb that are known; a server without DICOMweb has no such route. */
export async function getRemotes(stop?: AbortSignal): Promise<Remote[]> {
  const [modalities, servers] = await Promise.all([
    get<string[]>("modalities", { signal: stop }), get<string[]>("dicom-web/servers", { signal: stop }).catch(() => []),
  ]);
  return [...modalities.map((name) => ({ kind: "modality" as const, name })), ...servers.map((name) => ({ kind: "web" as const, name }))];
}

const STUDY_TAGS = [
  "PatientName", "PatientID", "PatientBirthDate", "StudyDate", "StudyTime", "StudyDescription", "AccessionNumber", "ModalitiesInStudy", "NumberOfStudyRelatedSeries",
  "NumberOfStudyRelatedInstances", "StudyInstanceUID",
];
const SERIES_TAGS = ["Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined", "NumberOfSeriesRelatedInstances", "SeriesInstanceUID", "StudyInstanceUID"];
const blank = (tags: readonly string[]) => Object.fromEntries(tags.map((tag) => [tag, ""]));

/** The studies that match. Raises ApiError where the other server does not answer. */
export function findStudies(remote: Remote, query: Tags, stop?: AbortSignal): Promise<Answer[]> {
  if (remote.kind === "web") return webAnswers(remote.name, "/studies", { ...query, includefield: STUDY_TAGS.join(",") }, stop);
  return asked(`modalities/${part(remote.name)}/query`, { Level: "Study", Query: { ...blank(STUDY_TAGS), ...query } }, stop);
}

async function asked(path: string, body: unknown, stop?: AbortSignal): Promise<Answer[]> {
  const { ID: id } = await post<{ ID: string }>(path, body, { signal: stop });
  const found = await get<Tags[]>(`queries/${part(id)}/answers`, { signal: stop, query: { expand: true, simplify: true } });
  return found.map((tags, index) => {
    const answer = `queries/${part(id)}/answers/${index}`;
    return {
      tags,
      series: (until) => asked(`${answer}/query-series`, { Query: blank(SERIES_TAGS) }, until),
      retrieve: async () => (await post<{ ID: string }>(`${answer}/retrieve`, { Asynchronous: true })).ID,
    };
  });
}

async function webAnswers(server: string, uri: string, query: Tags, stop?: AbortSignal): Promise<Answer[]> {
  const path = `dicom-web/servers/${part(server)}`;
  const found = await post<Record<string, { Name: string; Value: unknown }>[]>(`${path}/qido`, { Uri: uri, Arguments: query }, { signal: stop });
  return found.map((elements) => {
    const tags = Object.fromEntries(Object.values(elements).map(({ Name: name, Value: value }) => [name, String(value ?? "")]));
    const { StudyInstanceUID: study = "", SeriesInstanceUID: series } = tags;
    return {
      tags,
      series: (until) => webAnswers(server, `/studies/${study}/series`, { includefield: SERIES_TAGS.join(",") }, until),
      retrieve: async () => (await post<{ ID: string }>(`${path}/retrieve`, { Resources: [{ Study: study, ...(series ? { Series: series } : {}) }], Synchronous: false })).ID,
    };
  });
}
