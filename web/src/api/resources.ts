// Resources: one of them, those above and below, and searches.

import { get, post, request } from "./client";
import type { Level, Resource, System } from "./types";

const PATHS: Record<Level, string> = { Patient: "patients", Study: "studies", Series: "series", Instance: "instances" };

/** The route of a level or of one resource: `studies/ID`. */
export function pathOf(level: Level, id?: string): string {
  return id === undefined ? PATHS[level] : `${PATHS[level]}/${encodeURIComponent(id)}`;
}

export function getResource(level: Level, id: string, stop?: AbortSignal, requested: string[] = []): Promise<Resource> {
  const query = requested.length ? { "requested-tags": requested.join(";") } : {};
  return get(pathOf(level, id), { signal: stop, query });
}

export interface Order {
  Type: "DicomTag" | "DicomTagFolded" | "Metadata" | "MetadataAsInt";
  Key: string;
  Direction: "ASC" | "DESC";
}

/** What `tools/find` and `tools/count-resources` are asked. */
export interface Search {
  Level: Level;
  Query: Record<string, string>;
  Labels?: string[];
  LabelsConstraint?: "All" | "Any" | "None";
  ParentPatient?: string;
  ParentStudy?: string;
  ParentSeries?: string;
}

export interface Page {
  OrderBy?: Order[];
  Since?: number;
  Limit?: number;
  RequestedTags?: string[];
  ResponseContent?: string[];
}

export interface Found {
  resources: Resource[];
  /** How many match in all, where the server knows it without counting. */
  total: number | null;
}

export async function find(search: Search, page: Page = {}, stop?: AbortSignal): Promise<Found> {
  const body = JSON.stringify({ ...search, ...page, ...(page.ResponseContent ? {} : { Expand: true }) });
  const answer = await request("POST", "tools/find", body, { signal: stop });
  const total = answer.headers.get("x-total-count");
  return { resources: await answer.json(), total: total === null ? null : Number(total) };
}

export async function count(search: Search, stop?: AbortSignal): Promise<number> {
  return (await post<{ Count: number }>("tools/count-resources", search, { signal: stop })).Count;
}

/** The stored resources that have an identifier of DICOM. */
export async function lookUp(identifier: string): Promise<{ ID: string; Type: Level }[]> {
  return (await request("POST", "tools/lookup", identifier)).json();
}

/** What is left above a deleted resource, null where nothing is. */
export async function deleteResource(level: Level, id: string): Promise<{ ID: string; Type: Level } | null> {
  const answer = await request("DELETE", pathOf(level, id));
  return (await answer.json()).RemainingAncestor;
}

let system: Promise<System> | null = null;

/** The facts of the server, asked for once. */
export function getSystem(): Promise<System> {
  system ??= get<System>("system").catch((error) => {
    system = null;
    throw error;
  });
  return system;
}
