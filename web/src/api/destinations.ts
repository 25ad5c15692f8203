// Where studies are sent to.

import { ApiError, get, part, post } from "./client";

export type DestinationKind = "modality" | "peer" | "web";

export interface Destination {
  kind: DestinationKind;
  name: string;
}

const LISTS: Record<DestinationKind, string> = { modality: "modalities", peer: "peers", web: "dicom-web/servers" };

/** All that this server knows; a kind that is switched off has none. */
export async function getDestinations(stop?: AbortSignal): Promise<Destination[]> {
  const kinds = Object.keys(LISTS) as DestinationKind[];
  const found = await Promise.all(kinds.map(async (kind) => {
    try {
      const names = await get<string[]>(LISTS[kind], { signal: stop });
      return names.sort((a, b) => a.localeCompare(b)).map((name) => ({ kind, name }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return [];
      throw error;
    }
  }));
  return found.flat();
}

/** Starts the job that sends. */
export function sendTo({ kind, name }: Destination, resources: readonly string[]): Promise<{ ID: string }> {
  return post(`${LISTS[kind]}/${part(name)}/${kind === "web" ? "stow" : "store"}`, { Resources: resources, Synchronous: false });
}
