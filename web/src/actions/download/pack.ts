// Downloads that need more than a link.

import { address, part, post, request } from "../../api/client";
import { saveAs } from "../../components/save";
import { followed } from "../following";
import { say } from "./texts";

/** Has a job pack the resources, and saves what it made. */
export async function pack(kind: "archive" | "media", ids: string[], filename: string): Promise<void> {
  const { ID } = await post<{ ID: string }>(`tools/create-${kind}`, { Resources: ids, Asynchronous: true, Filename: filename });
  if (await followed(ID, say("packing"))) saveAs(address(`jobs/${part(ID)}/archive`), filename);
}

/** Raises ApiError with the reason where the server cannot make it. */
export async function saveArray(path: string, name: string): Promise<void> {
  await request("GET", path, null, { headers: { Range: "bytes=0-0" } });
  saveAs(address(path), name);
}
