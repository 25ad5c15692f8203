// The metadata of a resource. Those that belong to users, by the names of the option UserMetadata or by numbers from 1024,
// can be changed by who may modify.

import { useState } from "preact/hooks";
import { ApiError, messageOf } from "../../api/client";
import { getMetadata, getMetadatum, removeMetadatum, setMetadatum } from "../../api/details";
import { getSystem } from "../../api/resources";
import { may, seesAll } from "../../api/session";
import type { Level } from "../../api/types";
import { Dialog, confirmed, openDialog } from "../../components/dialog";
import { TextArea, TextField } from "../../components/fields";
import { Icon } from "../../components/icon";
import { Refusal } from "../../components/refusal";
import { Failure, Loading } from "../../components/states";
import { toastError } from "../../components/toasts";
import { Value } from "../../components/value";
import { wordsOf } from "../../dicom_text";
import { useLoaded } from "../../hooks";
import { say } from "./texts";

const FIRST_NUMBER = 1024; // of those that belong to users
const LAST_NUMBER = 65535;

interface Place {
  level: Level;
  id: string;
}

export function Metadata({ level, id }: Place) {
  const found = useLoaded((stop) => getMetadata(level, id, stop), [level, id]);
  // Their numbers are listed too.
  const ofUsers = useLoaded(async () => Object.keys((await getSystem()).UserMetadata).filter((name) => !isNumber(name)), []);
  // A patient belongs to others too who see other studies.
  const mayEdit = may("modify") && (level !== "Patient" || seesAll());
  const error = found.error ?? ofUsers.error;
  if (error) return <Failure error={error} retry={() => { found.reload(); ofUsers.reload(); }} />;
  if (!found.value || !ofUsers.value) return <Loading />;
  const names = ofUsers.value;
  const rows = Object.entries(found.value);
  const place = { level, id };

  async function edit(name: string): Promise<void> {
    const { text, version } = await getMetadatum(level, id, name);
    open(name, text, version);
  }

  function open(name: string, text: string, version: string | null): void {
    const free = names.filter((each) => !(each in (found.value ?? {})));
    openDialog((close) => (
      <MetadataDialog place={place} first={{ name, text, version }} names={free} onClose={(isChanged) => { close(); if (isChanged) found.reload(); }} />
    ));
  }

  async function discard(name: string): Promise<void> {
    const { version } = await getMetadatum(level, id, name);
    if (!await confirmed({ title: say("removeMetadata"), text: <Value text={say("sureMetadata", { name })} />, yes: say("remove"), danger: true })) return;
    await removeMetadatum(level, id, name, version);
    found.reload();
  }

  return (
    <>
      {rows.length === 0 && <p class="quiet">{say("nothing")}</p>}
      <dl class="pairs metadata">
        {rows.map(([name, value]) => {
          const isOfUsers = names.includes(name) || isNumber(name);
          return (
            <div key={name} class={mayEdit && isOfUsers ? "editable" : ""}>
              <dt>{isOfUsers ? <Value text={name} /> : wordsOf(name)}</dt>
              <dd>
                <Value text={value} />
                {mayEdit && isOfUsers && (
                  <span class="row-actions">
                    <button type="button" class="plain" aria-label={`${say("edit")}: ${name}`} onClick={() => { edit(name).catch(toastError); }}><Icon name="edit" /></button>
                    <button type="button" class="plain" aria-label={`${say("remove")}: ${name}`} onClick={() => { discard(name).catch(toastError); }}><Icon name="delete" /></button>
                  </span>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
      {mayEdit && <p class="add-metadata"><button type="button" onClick={() => open("", "", null)}><Icon name="plus" /> {say("addMetadata")}</button></p>}
    </>
  );
}

const isNumber = (name: string) => /^\d{4,5}$/.test(name) && Number(name) >= FIRST_NUMBER && Number(name) <= LAST_NUMBER;

/** A number that has a name is set under that. */
function isSet(level: Level, id: string, name: string): Promise<boolean> {
  return getMetadatum(level, id, name).then(() => true, (error) => {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  });
}

interface Properties {
  place: Place;
  /** An empty name is a new one. */
  first: { name: string; text: string; version: string | null };
  /** Those that are offered for a new one. */
  names: readonly string[];
  onClose: (isChanged: boolean) => void;
}

function MetadataDialog({ place: { level, id }, first, names, onClose }: Properties) {
  const isNew = first.name === "";
  const [name, setName] = useState(first.name || (names[0] ?? ""));
  const [text, setText] = useState(first.text);
  const [problem, setProblem] = useState("");
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);

  /** What is wrong with a new name; an empty text if nothing is. */
  async function problemOf(given: string): Promise<string> {
    if (!names.includes(given) && !isNumber(given)) {
      return say("badName", { names: names.join(", ") || say("noNames"), first: String(FIRST_NUMBER), last: String(LAST_NUMBER) });
    }
    return await isSet(level, id, given) ? say("isSet", { name: given }) : "";
  }

  async function save(): Promise<void> {
    const given = name.trim();
    const found = isNew ? await problemOf(given) : "";
    setProblem(found);
    if (found) return;
    await setMetadatum(level, id, given, text, first.version);
    onClose(true);
  }

  function submitted(event: Event): void {
    event.preventDefault();
    setBusy(true);
    setError("");
    save().catch((refused) => setError(messageOf(refused))).finally(() => setBusy(false));
  }

  return (
    <Dialog title={say(isNew ? "addMetadata" : "editMetadata")} onClose={() => onClose(false)}>
      <form onSubmit={submitted}>
        <div class="content metadata-fields">
          {isNew
            ? <TextField label={say("name")} autocomplete="off" value={name} error={problem} suggestions={names} hint={say("nameHint", { first: String(FIRST_NUMBER), last: String(LAST_NUMBER) })} onValue={setName} required />
            : <p><Value text={name} /></p>}
          <TextArea label={say("value")} value={text} onValue={setText} />
        </div>
        <Refusal text={error} />
        <footer>
          <button type="button" onClick={() => onClose(false)}>{say("cancel")}</button>
          <button type="submit" class="primary" disabled={isBusy}>{say("save")}</button>
        </footer>
      </form>
    </Dialog>
  );
}
