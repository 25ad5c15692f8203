// The labels of several resources: on all, on some, on none.

import { useState } from "preact/hooks";
import { get, isAbort, messageOf } from "../../api/client";
import { addLabel, getLabels, isLabel, removeLabel } from "../../api/details";
import { activity } from "../../components/activities";
import { Dialog, openDialog } from "../../components/dialog";
import { Icon } from "../../components/icon";
import { Failure, Loading } from "../../components/states";
import { say as sayShared } from "../../components/texts";
import { Value } from "../../components/value";
import { useLoaded, useUnique } from "../../hooks";
import { forEach } from "../parallel";
import type { Selection } from "../registry";
import { say } from "./texts";

/** Resolves when the dialog is closed. */
export function editLabels(selection: Selection, changed: () => void): Promise<void> {
  return new Promise((resolve) => {
    let hasChanged = false;
    openDialog((close) => (
      <LabelsDialog selection={selection} touched={() => { hasChanged = true; }}
        onClose={() => { close(); if (hasChanged) changed(); resolve(); }} />
    ));
  });
}

interface Properties {
  selection: Selection;
  touched: () => void;
  onClose: () => void;
}

function LabelsDialog({ selection: { level, resources }, touched, onClose }: Properties) {
  const found = useLoaded((stop) => forEach(resources, (each) => getLabels(level, each.ID, stop), () => undefined, stop), []);
  const known = useLoaded((stop) => get<string[]>("tools/labels", { signal: stop }), []);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState("");
  const list = useUnique("labels");
  const total = resources.length;

  /** Raises nothing: what goes wrong is shown here. */
  async function change(label: string, isAdded: boolean): Promise<boolean> {
    setProblem("");
    touched();
    const one = isAdded ? addLabel : removeLabel;
    let failure: unknown;
    await activity(say(isAdded ? "adding" : "removing", { label }), (progress, stop) => (
      forEach(resources, (each) => one(level, each.ID, label), progress, stop).catch((error) => { if (!isAbort(error)) failure = error; })
    ));
    if (failure) setProblem(messageOf(failure));
    found.reload();
    return !failure;
  }

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const label = typed.trim();
    if (!isLabel(label)) setProblem(sayShared("badLabel"));
    else if (await change(label, true)) setTyped("");
  }

  return (
    <Dialog title={say("title", { count: total })} onClose={onClose}>
      <div class="content labels-dialog">
        <form onSubmit={submit}>
          <input list={list} autofocus aria-label={say("add")} placeholder={say("add")} value={typed} autocomplete="off" onInput={(event) => setTyped(event.currentTarget.value)} />
          <datalist id={list}>{known.value?.map((each) => <option key={each} value={each} />)}</datalist>
          <button type="submit" disabled={!typed.trim()}><Icon name="plus" /> {say("addShort")}</button>
        </form>
        {problem && <p class="bad" role="alert"><Value text={problem} /></p>}
        {found.error && !found.loading ? <Failure error={found.error} retry={found.reload} /> : found.value ? null : <Loading />}
        <ul>
          {counted(found.value ?? []).map(([label, count]) => (
            <li key={label}>
              <span class="label"><Value text={label} short /></span>
              <span class="quiet push">{count < total && say("some", { count, total })}</span>
              {count < total && <button type="button" aria-label={say("addAll", { label })} onClick={() => { void change(label, true); }}><Icon name="plus" /></button>}
              <button type="button" aria-label={say("remove", { label })} onClick={() => { void change(label, false); }}><Icon name="close" /></button>
            </li>
          ))}
        </ul>
        {found.value && !counted(found.value).length && <p class="quiet">{say("none")}</p>}
      </div>
      <footer><button type="button" onClick={onClose}>{say("close")}</button></footer>
    </Dialog>
  );
}

/** Each label with how many have it. */
function counted(all: string[][]): [string, number][] {
  const found = new Map<string, number>();
  for (const each of all.flat()) found.set(each, (found.get(each) ?? 0) + 1);
  return [...found].sort(([a], [b]) => a.localeCompare(b));
}
