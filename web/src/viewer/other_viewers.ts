// Viewers that the server hosts beside its own: those that it lists among its plugins.

import { part } from "../api/client";
import type { Resource } from "../api/types";

export interface OtherViewer {
  name: string;
  url: string;
}

/** How each opens a study, below the address that it has here. */
const KNOWN: Record<string, { name: string; open: (root: string, study: Resource) => string }> = {
  ohif: { name: "OHIF", open: (root, study) => `${root}viewer?StudyInstanceUIDs=${part(study.MainDicomTags.StudyInstanceUID ?? "")}` },
  volview: { name: "VolView", open: (root, study) => `${root}index.html?names=[archive.zip]&urls=[../studies/${part(study.ID)}/archive]` },
};

export async function otherViewers(study: Resource, get: <T>(path: string) => Promise<T>): Promise<OtherViewer[]> {
  const plugins = await get<string[]>("plugins");
  const found = plugins.flatMap((id) => (KNOWN[id] ? [{ id, ...KNOWN[id] }] : []));
  return Promise.all(found.map(async ({ id, name, open }) => {
    const { RootUri } = await get<{ RootUri: string }>(`plugins/${part(id)}`);
    return { name, url: open(RootUri.endsWith("/") ? RootUri : `${RootUri}/`, study) };
  }));
}
