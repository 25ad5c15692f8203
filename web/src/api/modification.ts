// Resources that are made of others: modified and anonymized copies, split and merged studies.

import { part, post } from "./client";
import { pathOf } from "./resources";
import type { Level } from "./types";

/** The fields of a request to modify or anonymize; see docs/anonymization.md. */
export interface Order {
  Replace?: Record<string, string>;
  Remove?: string[];
  Keep?: string[];
  Force?: boolean;
  KeepSource?: boolean;
  KeepLabels?: boolean;
  RemovePrivateTags?: boolean;
  KeepPrivateTags?: boolean;
  DicomVersion?: string;
  Options?: string[];
  DateShift?: number;
  PseudonymKey?: string;
  MaskPixels?: { Region: number[] }[];
}

/** What would be done to an element; `OldValue` and `NewValue` are those of the first image that has it. */
export interface Change {
  Path: string;
  Name: string;
  Action: "Removed" | "Cleared" | "Replaced" | "Added" | "Remapped" | "Masked" | "Kept";
  OldValue: string | null;
  NewValue: unknown;
  Instances: number;
}

export interface Explained {
  IsAnonymization: boolean;
  InstancesCount: number;
  Changes: Change[];
  /** What people have to look at, with the number of images. */
  NotJudged: { Reason: string; Details: string; Instances: number }[];
}

export type Verb = "modify" | "anonymize";

/** One resource by its own route, several by that for a list. */
function target(verb: Verb, level: Level, ids: readonly string[]): [path: string, fields: object] {
  const [first = ""] = ids;
  if (ids.length === 1) return [`${pathOf(level, first)}/${verb}`, {}];
  return [`tools/bulk-${verb}`, { Resources: ids, ...(verb === "modify" ? { Level: level } : {}) }];
}

/** What the order would do; nothing is done. Raises ApiError as the order itself. */
export function explain(verb: Verb, level: Level, ids: readonly string[], order: Order, stop?: AbortSignal): Promise<Explained> {
  const [path, fields] = target(verb, level, ids);
  return post(path, { ...order, ...fields, DryRun: true }, { signal: stop });
}

/** The job that does it. */
export async function submit(verb: Verb, level: Level, ids: readonly string[], order: Order): Promise<string> {
  const [path, fields] = target(verb, level, ids);
  return (await post<{ ID: string }>(path, { ...order, ...fields, Asynchronous: true })).ID;
}

interface Split {
  Series: readonly string[];
  Replace: Record<string, string>;
  KeepSource: boolean;
}

/** Puts series of a study into a new one; gives the job. */
export async function split(study: string, order: Split): Promise<string> {
  return (await post<{ ID: string }>(`studies/${part(study)}/split`, { ...order, Asynchronous: true })).ID;
}

interface Merge {
  Resources: readonly string[];
  KeepSource: boolean;
}

/** Puts the series of other studies into this one; gives the job. */
export async function merge(study: string, order: Merge): Promise<string> {
  return (await post<{ ID: string }>(`studies/${part(study)}/merge`, { ...order, Asynchronous: true })).ID;
}
