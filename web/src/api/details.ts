// What belongs to one resource beside its main tags.

import { get, getText, part, put, remove, request } from "./client";
import { find, pathOf } from "./resources";
import type { Element, Level, Resource } from "./types";

/** From the nearest parent upwards. */
export async function getAncestors(resource: Resource, stop?: AbortSignal): Promise<Resource[]> {
  const found: Resource[] = [];
  let at = resource;
  for (;;) {
    const [level, id] = at.ParentSeries ? ["Series" as const, at.ParentSeries] : at.ParentStudy ? ["Study" as const, at.ParentStudy] : ["Patient" as const, at.ParentPatient];
    if (!id) return found;
    at = await get<Resource>(pathOf(level, id), { signal: stop });
    found.push(at);
  }
}

/** The series of a study, by number. */
export async function getSeries(study: string, stop?: AbortSignal): Promise<Resource[]> {
  const found = await get<Resource[]>(`studies/${part(study)}/series`, { signal: stop });
  const number = (series: Resource) => Number(series.MainDicomTags.SeriesNumber ?? Infinity);
  return found.sort((a, b) => number(a) - number(b) || 0);
}

/** The studies of a patient, the newest first. */
export async function getStudies(patient: string, stop?: AbortSignal): Promise<Resource[]> {
  return (await find({ Level: "Study", Query: {}, ParentPatient: patient }, {
    RequestedTags: ["ModalitiesInStudy"], OrderBy: [{ Type: "DicomTag", Key: "StudyDate", Direction: "DESC" }],
  }, stop)).resources;
}

/** The instances of a series in their order. */
export async function getInstances(series: string, stop?: AbortSignal): Promise<Resource[]> {
  return (await find({ Level: "Instance", Query: {}, ParentSeries: series }, {
    OrderBy: [{ Type: "MetadataAsInt", Key: "IndexInSeries", Direction: "ASC" }],
  }, stop)).resources;
}

export type Elements = Record<string, Element>;

/** All tags of an instance, those of the module of another level. Long values come only where their names are given. */
export function getTags(level: Level, id: string, complete: readonly string[], stop?: AbortSignal): Promise<Elements> {
  const route = level === "Instance" ? "tags" : "module";
  return get(`${pathOf(level, id)}/${route}`, { signal: stop, query: { "ignore-length": complete.length ? complete.join(",") : undefined } });
}

export function getMetadata(level: Level, id: string, stop?: AbortSignal): Promise<Record<string, string>> {
  return get(`${pathOf(level, id)}/metadata`, { signal: stop, query: { expand: true } });
}

const metadatum = (level: Level, id: string, name: string) => `${pathOf(level, id)}/metadata/${part(name)}`;
const ifMatch = (version: string | null) => (version === null ? {} : { headers: { "If-Match": version } });

/** One value with its version. */
export async function getMetadatum(level: Level, id: string, name: string): Promise<{ text: string; version: string | null }> {
  const answer = await request("GET", metadatum(level, id, name));
  return { text: await answer.text(), version: answer.headers.get("etag") };
}

/** Sets a value. `version` is the one that somebody has seen, null for a new one: the server refuses to replace another. */
export function setMetadatum(level: Level, id: string, name: string, text: string, version: string | null): Promise<void> {
  return put(metadatum(level, id, name), text, ifMatch(version));
}

export async function removeMetadatum(level: Level, id: string, name: string, version: string | null): Promise<void> {
  await remove(metadatum(level, id, name), ifMatch(version));
}

export interface Attachment {
  name: string;
  UncompressedSize: number;
  CompressedSize: number;
  UncompressedMD5?: string;
}

export async function getAttachments(level: Level, id: string, stop?: AbortSignal): Promise<Attachment[]> {
  const path = `${pathOf(level, id)}/attachments`;
  const names = await get<string[]>(path, { signal: stop });
  return Promise.all(names.map(async (name) => ({ name, ...await get<Omit<Attachment, "name">>(`${path}/${part(name)}/info`, { signal: stop }) })));
}

export async function isProtected(patient: string, stop?: AbortSignal): Promise<boolean> {
  return (await getText(`patients/${part(patient)}/protected`, { signal: stop })) === "1";
}

export function getLabels(level: Level, id: string, stop?: AbortSignal): Promise<string[]> {
  return get(`${pathOf(level, id)}/labels`, { signal: stop });
}

/** Whether the server takes it; with a slash in it what it answers is hard to understand. */
export const isLabel = (text: string) => /^[A-Za-z0-9_-]{1,64}$/.test(text);

export function addLabel(level: Level, id: string, label: string): Promise<void> {
  return put(`${pathOf(level, id)}/labels/${part(label)}`);
}

export async function removeLabel(level: Level, id: string, label: string): Promise<void> {
  await remove(`${pathOf(level, id)}/labels/${part(label)}`);
}
