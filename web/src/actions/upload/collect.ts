// The files in what somebody drops or chooses. A `File` holds no content: it is read while it is sent.

import { messageOf } from "../../api/client";

export interface Entry {
  path: string;
  file: File;
}

export interface Refused {
  path: string;
  reason: string;
}

export interface Collected {
  entries: Entry[];
  /** What could not be opened. */
  refused: Refused[];
  /** How many were left out: see `isHidden`. */
  skipped: number;
}

/** What systems leave beside files, and the directory of a medium, which is no image. */
export function isHidden(path: string): boolean {
  const parts = path.split("/");
  const name = parts.at(-1) ?? "";
  return parts.some((each) => each.startsWith(".") || each === "__MACOSX") || /^(dicomdir|thumbs\.db|desktop\.ini)$/i.test(name);
}

export function fromFiles(files: Iterable<File>): Collected {
  const found: Collected = { entries: [], refused: [], skipped: 0 };
  for (const file of files) add(found, file.webkitRelativePath || file.name, file);
  return found;
}

function add(found: Collected, path: string, file: File): void {
  if (isHidden(path)) found.skipped++;
  else found.entries.push({ path, file });
}

/** Files and folders of a drop. Has to be called while its event is handled: afterwards browsers show nothing of it. */
export function dropped(transfer: DataTransfer): FileSystemEntry[] {
  return [...transfer.items].flatMap((item) => {
    const entry = item.kind === "file" ? item.webkitGetAsEntry() : null;
    return entry === null ? [] : [entry];
  });
}

/** Goes through folders; `heard` is told how many files there are so far. */
export async function fromEntries(entries: readonly FileSystemEntry[], heard: (count: number) => void, stop: AbortSignal): Promise<Collected> {
  const found = fromFiles([]);
  const open = [...entries];
  for (let batch = open.splice(0, BATCH); batch.length; batch = open.splice(0, BATCH)) {
    stop.throwIfAborted();
    await Promise.all(batch.map(async (entry) => {
      const path = entry.fullPath.replace(/^\//, "");
      try {
        if (entry.isDirectory) for (const each of await childrenOf(entry as FileSystemDirectoryEntry)) open.push(each);
        else add(found, path, await fileOf(entry as FileSystemFileEntry));
      } catch (error) {
        found.refused.push({ path, reason: messageOf(error) });
      }
    }));
    heard(found.entries.length);
  }
  return found;
}

const BATCH = 100;

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A reader gives some at a time, and none when it is through. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const each of some) found.push(each);
  }
}
