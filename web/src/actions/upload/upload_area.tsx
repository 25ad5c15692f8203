// Where files come in: dropped anywhere on the page, or chosen by the menu.

import { useEffect, useRef, useState } from "preact/hooks";
import { mayUpload } from "../../api/session";
import { Icon } from "../../components/icon";
import { Menu } from "../../components/menu";
import { toastError } from "../../components/toasts";
import { dropped, fromEntries, fromFiles } from "./collect";
import type { Collect } from "./start";
import { say } from "./texts";

function start(collect: Collect): void {
  import("./start").then(({ startUpload }) => startUpload(collect)).catch(toastError);
}

/** A menu to choose files or a folder, for those who may upload. */
export function UploadMenu() {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  if (!mayUpload()) return null;

  // Not among the attributes that Preact knows.
  function isFolder(input: HTMLInputElement | null): void {
    if (input) input.webkitdirectory = true;
    folder.current = input;
  }

  function chosen(event: Event): void {
    const input = event.currentTarget as HTMLInputElement;
    const found = fromFiles(input.files ?? []);
    input.value = "";
    start(async () => found);
  }

  return (
    <>
      <Menu label={say("upload")} icon="upload" class="plain" items={[
        { id: "files", label: say("files"), icon: "copy", run: () => files.current?.click() },
        { id: "folder", label: say("folder"), icon: "archive", run: () => folder.current?.click() },
      ]}>
        {say("upload")}
      </Menu>
      <input ref={files} class="upload-files" type="file" multiple hidden onChange={chosen} />
      <input ref={isFolder} class="upload-folder" type="file" hidden onChange={chosen} />
    </>
  );
}

const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;

/** Takes what is dropped on the page, and says so while something is held over it. */
export function DropArea() {
  const [isOver, setOver] = useState(false);
  const isAllowed = mayUpload();
  useEffect(() => {
    if (!isAllowed) return undefined;
    const stop = new AbortController();
    const listen = (name: "dragover" | "dragleave" | "drop", heard: (event: DragEvent) => void) => {
      addEventListener(name, (event) => { if (hasFiles(event)) heard(event); }, { signal: stop.signal });
    };
    listen("dragover", (event) => { event.preventDefault(); setOver(true); });
    // One without an element that is entered leaves the window.
    listen("dragleave", (event) => { if (event.relatedTarget === null) setOver(false); });
    listen("drop", (event) => {
      event.preventDefault();
      setOver(false);
      const entries = event.dataTransfer ? dropped(event.dataTransfer) : [];
      start((heard, called) => fromEntries(entries, heard, called));
    });
    return () => stop.abort();
  }, [isAllowed]);
  return isOver ? <div class="drop-area"><p><Icon name="upload" size={28} /> {say("drop")}</p></div> : null;
}
