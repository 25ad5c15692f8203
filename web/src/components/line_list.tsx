// Many lines of text that may be copied and saved: names of files, reasons.

import { useRef } from "preact/hooks";
import { saveAs } from "./save";
import { say } from "./texts";

// What would make two lines of one, or turn the rest of it.
const UNSEEN = /[\x00-\x1f\x7f\u2028-\u202e\u2066-\u2069]/g;

interface Properties {
  title: string;
  /** Of the file that it is saved as. */
  name: string;
  lines: readonly string[];
}

export function LineList({ title, name, lines }: Properties) {
  const area = useRef<HTMLTextAreaElement>(null);
  const text = lines.map((line) => line.replace(UNSEEN, "\ufffd")).join("\n");

  function copy(): void {
    // The clipboard of today is closed to pages without TLS, as many of a clinic's network are.
    area.current?.select();
    document.execCommand("copy");
  }

  function save(): void {
    const content = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" }));
    saveAs(content, name);
    URL.revokeObjectURL(content);
  }

  return (
    <section class="line-list">
      <header>
        <h3>{title}</h3>
        <button type="button" aria-label={`${say("copy")}: ${title}`} onClick={copy}>{say("copy")}</button>
        <button type="button" aria-label={`${say("save")}: ${title}`} onClick={save}>{say("save")}</button>
      </header>
      <textarea ref={area} readOnly rows={Math.min(lines.length + 1, 8)} aria-label={title} value={text} wrap="off" />
    </section>
  );
}
