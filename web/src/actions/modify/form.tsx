// The dialog of modifying and anonymizing: what is done to which tag, a preview by the server, and the order itself.

import { useEffect, useRef, useState } from "preact/hooks";
import { messageOf } from "../../api/client";
import { type Explained, type Order, type Verb, explain, submit } from "../../api/modification";
import { may } from "../../api/session";
import type { Level } from "../../api/types";
import { Dialog } from "../../components/dialog";
import { CheckField, SelectField, TextArea, TextField } from "../../components/fields";
import { Icon } from "../../components/icon";
import { Refusal } from "../../components/refusal";
import { type Draft, OPTIONS, PROFILES, type TagRow, type Treatment, isUsual, needsForce, orderOf } from "./draft";
import { Preview } from "./preview";
import { nameOfOption, nameOfTag, say } from "./texts";

interface Properties {
  verb: Verb;
  level: Level;
  ids: readonly string[];
  first: Draft;
  /** The server can replace what it has. */
  canOverwrite: boolean;
  /** With the job, or null if nothing is to be done. */
  onClose: (job: string | null) => void;
}

export function ModifyDialog({ verb, level, ids, first, canOverwrite, onClose }: Properties) {
  const [draft, setDraft] = useState(first);
  const [explained, setExplained] = useState<Explained | null>(null);
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  const content = useRef<HTMLDivElement>(null);
  const hasTurned = useRef(false);
  const change = (changed: Partial<Draft>) => setDraft((before) => ({ ...before, ...changed }));

  // What had the focus goes when form and preview take each other's place.
  useEffect(() => { if (hasTurned.current) content.current?.focus(); }, [explained !== null]);

  function show(found: Explained | null): void {
    hasTurned.current = true;
    setExplained(found);
  }

  async function ask(question: (order: Order) => Promise<void>): Promise<void> {
    setBusy(true);
    setError("");
    try {
      await question(orderOf(verb, level, draft));
    } catch (refused) {
      show(null);
      setError(messageOf(refused));
    }
    setBusy(false);
  }

  const start = () => ask(async (order) => onClose(await submit(verb, level, ids, order)));
  const preview = () => ask(async (order) => show(await explain(verb, level, ids, order)));
  return (
    <Dialog title={say(verb === "modify" ? "modifyTitle" : "anonymizeTitle", { count: ids.length })} onClose={() => onClose(null)} wide>
      <form class="modify" onSubmit={(event) => { event.preventDefault(); (explained ? start : preview)().catch(setError); }}>
        <div class="content" ref={content} tabIndex={-1}>
          {explained
            ? <Preview explained={explained} />
            : <Fields verb={verb} level={level} draft={draft} change={change} canOverwrite={canOverwrite} />}
        </div>
        <Refusal text={error} />
        <footer>
          {explained
            ? <button type="button" onClick={() => show(null)}><Icon name="back" /> {say("back")}</button>
            : <button type="button" onClick={() => onClose(null)}>{say("cancel")}</button>}
          <span class="push" />
          {!explained && <button type="button" disabled={isBusy} onClick={start}>{say(verb)}</button>}
          <button key={explained ? "start" : "preview"} type="submit" class="primary" disabled={isBusy}>{explained ? say(verb) : say("preview")}</button>
        </footer>
      </form>
    </Dialog>
  );
}

interface FieldsProperties extends Pick<Properties, "verb" | "level" | "canOverwrite"> {
  draft: Draft;
  change: (changed: Partial<Draft>) => void;
}

function Fields({ verb, level, draft, change, canOverwrite }: FieldsProperties) {
  const isAnonymization = verb === "anonymize";
  return (
    <>
      <p class="quiet">{say(isAnonymization ? "aboutAnonymize" : draft.inPlace ? "aboutInPlace" : "aboutModify")}</p>
      {isAnonymization && <Profile draft={draft} change={change} />}
      <TagFields verb={verb} draft={draft} change={change} />
      {needsForce(draft) && <p class="notice"><Icon name="warning" /> {say("force")}</p>}
      <fieldset class="checks">
        <legend>{say("result")}</legend>
        {!isAnonymization && canOverwrite && <CheckField label={say("inPlace")} value={draft.inPlace} onValue={(inPlace) => change({ inPlace, keepSource: true })} />}
        {may("delete") && <CheckField label={say("deleteSource")} value={!draft.keepSource} disabled={draft.inPlace} onValue={(gone) => change({ keepSource: !gone })} />}
        <CheckField label={say("keepLabels")} value={draft.keepLabels} onValue={(keepLabels) => change({ keepLabels })} />
        <CheckField label={say(isAnonymization ? "keepPrivate" : "removePrivate")} value={draft.privateTags} onValue={(privateTags) => change({ privateTags })} />
      </fieldset>
      <details>
        <summary>{say("pixels")}</summary>
        <TextArea label={say("masks")} hint={say("masksHint")} rows={2} value={draft.masks} onValue={(masks) => change({ masks })} />
      </details>
      {level === "Patient" && !isAnonymization && <p class="quiet">{say("patientHint")}</p>}
    </>
  );
}

function Profile({ draft, change }: Pick<FieldsProperties, "draft" | "change">) {
  const toggle = (name: string, isOn: boolean) => change({ options: isOn ? [...draft.options, name] : draft.options.filter((each) => each !== name) });
  return (
    <>
      <div class="tag-row">
        <SelectField label={say("profile")} value={draft.profile} options={PROFILES.map((value) => ({ value, label: `DICOM PS3.15 ${value}` }))} onValue={(profile) => change({ profile })} />
      </div>
      <fieldset class="checks">
        <legend>{say("options")}</legend>
        {OPTIONS.map((name) => <CheckField key={name} label={nameOfOption(name)} value={draft.options.includes(name)} onValue={(isOn) => toggle(name, isOn)} />)}
      </fieldset>
      <div class="tag-row">
        {draft.options.includes("RetainLongitudinalModifiedDates") && (
          <TextField type="number" label={say("dateShift")} hint={say("dateShiftHint")} value={draft.dateShift} onValue={(dateShift) => change({ dateShift })} />
        )}
        <TextField type="password" autocomplete="off" label={say("key")} hint={say("keyHint")} value={draft.key} onValue={(key) => change({ key })} />
      </div>
    </>
  );
}

function TagFields({ verb, draft, change }: Pick<FieldsProperties, "verb" | "draft" | "change">) {
  const [other, setOther] = useState("");
  const set = (row: TagRow, changed: Partial<TagRow>) => change({ tags: draft.tags.map((each) => (each === row ? { ...each, ...changed } : each)) });

  function add(): void {
    const keyword = other.trim();
    setOther("");
    if (keyword && !draft.tags.some((each) => each.keyword === keyword)) change({ tags: [...draft.tags, { keyword, treatment: "Replace", value: "" }] });
  }

  return (
    <fieldset>
      <legend>{say("tags")}</legend>
      <div class="tag-fields">
        {draft.tags.map((row) => <TagField key={row.keyword} verb={verb} row={row} set={(changed) => set(row, changed)} />)}
      </div>
      <div class="other-tag" onKeyDown={(event) => {
        if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
        event.preventDefault();
        add();
      }}>
        <TextField label={say("otherTag")} hint={say("otherTagHint")} autocomplete="off" value={other} onValue={setOther} />
        <button type="button" disabled={!other.trim()} onClick={add}><Icon name="plus" /> {say("add")}</button>
      </div>
    </fieldset>
  );
}

function TagField({ verb, row, set }: { verb: Verb; row: TagRow; set: (changed: Partial<TagRow>) => void }) {
  const name = isUsual(row.keyword) ? nameOfTag(row.keyword) : row.keyword;
  const choices: readonly Treatment[] = verb === "modify" ? ["", "Replace", "Remove"] : ["", "Keep", "Replace", "Remove"];
  const untouched = verb === "modify" ? "unchanged" : "byProfile";
  return (
    <div class="tag-row">
      <SelectField label={name} value={row.treatment} options={choices.map((value) => ({ value, label: say(value || untouched) }))}
        onValue={(value) => set({ treatment: value as Treatment })} />
      {row.treatment === "Replace" && <TextField label={`${name}: ${say("newValue")}`} autocomplete="off" value={row.value} onValue={(value) => set({ value })} />}
    </div>
  );
}
