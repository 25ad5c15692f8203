// Files that are given to the server.

import { type Progress, upload } from "./client";

/** What became of an instance in a file. */
export interface Stored {
  ID: string;
  ParentStudy: string;
  Status: "Success" | "AlreadyStored" | "FilteredOut" | "Failure";
}

/** Sends a DICOM file or a ZIP archive of them, and gives what was in it. Raises ApiError with the reason of a refusal. */
export async function storeFile(file: Blob, progress: Progress, stop: AbortSignal): Promise<Stored[]> {
  const answer: Stored | Stored[] = JSON.parse(await upload("instances", file, progress, stop));
  return Array.isArray(answer) ? answer : [answer];
}
