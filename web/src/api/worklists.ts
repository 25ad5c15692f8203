// Worklists: what modalities shall examine.

import { get, part, post, put, remove } from "./client";

/** Tags by their names; those of a sequence are in objects of a list. */
export type WorklistTags = Record<string, unknown>;

export interface Worklist {
  ID: string;
  Tags: WorklistTags;
}

export const getWorklists = (stop?: AbortSignal) => get<Worklist[]>("worklists", { signal: stop });

/** Raises ApiError for what makes no worklist. */
export async function createWorklist(tags: WorklistTags): Promise<void> {
  await post("worklists/create", { Tags: tags });
}

export async function replaceWorklist(id: string, tags: WorklistTags): Promise<void> {
  await put(`worklists/${part(id)}`, JSON.stringify({ Tags: tags }));
}

export async function removeWorklist(id: string): Promise<void> {
  await remove(`worklists/${part(id)}`);
}
