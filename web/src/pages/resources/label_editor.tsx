// The labels of a resource, which those who may modify can add and remove.

import { useState } from "preact/hooks";
import { get } from "../../api/client";
import { addLabel, getLabels, isLabel, removeLabel } from "../../api/details";
import { mayModify } from "../../api/session";
import type { Level } from "../../api/types";
import { Icon } from "../../components/icon";
import { say as sayShared } from "../../components/texts";
import { toast, toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { useLoaded, useUnique } from "../../hooks";
import { say } from "./texts";

interface Properties {
  level: Level;
  id: string;
  /** The labels as the page knows them: when they change they are asked for again. */
  known: readonly string[];
}

export function LabelEditor({ level, id, known: before }: Properties) {
  const labels = useLoaded((stop) => getLabels(level, id, stop), [level, id, before.join("\n")]);
  const known = useLoaded((stop) => get<string[]>("tools/labels", { signal: stop }), []);
  const [typed, setTyped] = useState("");
  const list = useUnique("labels");
  const mayEdit = mayModify();

  function change(done: Promise<void>): void {
    done.then(labels.reload, toastError);
  }

  function submit(event: Event): void {
    event.preventDefault();
    const label = typed.trim();
    if (!isLabel(label)) toast(sayShared("badLabel"), "bad");
    else change(addLabel(level, id, label).then(() => setTyped("")));
  }

  return (
    <section class="label-editor" aria-label={say("labels")}>
      {labels.value?.map((label) => (
        <span key={label} class="label">
          <Value text={label} short />
          {mayEdit && <button type="button" class="plain" aria-label={say("removeLabel", { label })} onClick={() => change(removeLabel(level, id, label))}><Icon name="close" size={10} /></button>}
        </span>
      ))}
      {labels.value?.length === 0 && !mayEdit && <span class="quiet">{say("noLabels")}</span>}
      {mayEdit && (
        <form onSubmit={submit}>
          <input list={list} aria-label={say("addLabel")} placeholder={say("addLabel")} value={typed} autocomplete="off" onInput={(event) => setTyped(event.currentTarget.value)} />
          <datalist id={list}>{known.value?.map((each) => <option key={each} value={each} />)}</datalist>
          <button type="submit" class="plain" aria-label={say("add")} disabled={!typed.trim()}><Icon name="plus" /></button>
        </form>
      )}
    </section>
  );
}
