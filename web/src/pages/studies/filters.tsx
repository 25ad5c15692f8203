// The fields above the list of studies. Each change is told at once; when the server is asked is the page's business.

import type { Ref } from "preact";
import { useState } from "preact/hooks";
import { get } from "../../api/client";
import { TextField } from "../../components/fields";
import { Icon } from "../../components/icon";
import { Menu } from "../../components/menu";
import { Popover } from "../../components/popover";
import { toastError } from "../../components/toasts";
import { formatDate } from "../../i18n";
import { TEXT_FIELDS, type Wanted, isFiltered } from "./search";
import { say } from "./texts";

const MODALITIES = ["CR", "CT", "DX", "MG", "MR", "NM", "OT", "PT", "RF", "SC", "SEG", "SR", "US", "XA"];

interface Properties {
  wanted: Wanted;
  change: (changed: Partial<Wanted>) => void;
  /** The first field, where `/` leads to. */
  form: Ref<HTMLFormElement>;
  /** Down from the fields, into the list. */
  leave: () => void;
}

export function Filters({ wanted, change, form, leave }: Properties) {
  // On a telephone only the first fields are seen until somebody wants the others.
  const [isFolded, setFolded] = useState(true);
  function keyDown(event: KeyboardEvent): void {
    if (!(event.target instanceof HTMLInputElement) || event.target.type !== "search") return;
    if (event.key === "ArrowDown" || event.key === "Enter") leave();
    else if (event.key === "Escape" && !event.target.value) leave();
    else return;
    event.preventDefault();
  }

  return (
    <>
      <form ref={form} class={`filters ${isFolded ? "folded" : ""}`} role="search" aria-label={say("filters")} onKeyDown={keyDown} onSubmit={(event) => event.preventDefault()}>
        {TEXT_FIELDS.map((field) => (
          <TextField key={field} type="search" label={say(field)} autocomplete="off" value={wanted.texts[field]}
            onValue={(text) => change({ texts: { ...wanted.texts, [field]: text } })} />
        ))}
        <DateFilter wanted={wanted} change={change} />
        <Choice label={say("ModalitiesInStudy")} options={MODALITIES} chosen={wanted.modalities} choose={(modalities) => change({ modalities })} />
        <LabelFilter wanted={wanted} change={change} />
        <button type="button" class="plain clear" disabled={!isFiltered(wanted)}
          onClick={() => change({ texts: { PatientName: "", PatientID: "", StudyDescription: "", AccessionNumber: "" }, from: "", to: "", modalities: [], labels: [] })}>
          <Icon name="close" /> {say("clear")}
        </button>
      </form>
      <button type="button" class="plain unfold" aria-expanded={!isFolded} onClick={() => setFolded(!isFolded)}><Icon name="filter" /> {say(isFolded ? "more" : "fewer")}</button>
    </>
  );
}

interface ChoiceProperties {
  label: string;
  options: readonly string[];
  chosen: readonly string[];
  choose: (chosen: string[]) => void;
  none?: string;
}

function Choice({ label, options, chosen, choose, none }: ChoiceProperties) {
  const items = [...new Set([...chosen, ...options])].sort().map((each) => ({
    id: each, label: each, checked: chosen.includes(each),
    run: () => choose(chosen.includes(each) ? chosen.filter((other) => other !== each) : [...chosen, each]),
  }));
  const shown = chosen.length ? chosen.join(", ") : say("any");
  return (
    <div class="field">
      <span class="field-name" aria-hidden="true">{label}</span>
      <Menu label={`${label}: ${shown}`} class="choice" stays items={items.length ? items : [{ id: "none", label: none ?? "", disabled: true }]}>
        <bdi>{shown}</bdi><Icon name="down" size={10} />
      </Menu>
    </div>
  );
}

function LabelFilter({ wanted, change }: Pick<Properties, "wanted" | "change">) {
  const [known, setKnown] = useState<string[]>([]);
  const load = () => { get<string[]>("tools/labels").then(setKnown).catch(toastError); };
  return (
    <div onFocusIn={load} onPointerEnter={load}>
      <Choice label={say("Labels")} options={known} chosen={wanted.labels} choose={(labels) => change({ labels })} none={say("noLabels")} />
    </div>
  );
}

const PRESETS = [["today", 0, 0], ["yesterday", 1, 1], ["week", 6, 0], ["month", 29, 0], ["year", 364, 0]] as const;

function daysAgo(days: number): string {
  const date = new Date();
  date.setDate(date.getDate() - days);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function DateFilter({ wanted: { from, to }, change }: Pick<Properties, "wanted" | "change">) {
  const day = (text: string) => formatDate(text.replaceAll("-", ""));
  const shown = !from && !to ? say("any") : from === to ? day(from) : `${day(from)} – ${day(to)}`;
  return (
    <div class="field">
      <span class="field-name" aria-hidden="true">{say("StudyDate")}</span>
      <Popover label={`${say("StudyDate")}: ${shown}`} class="choice" shown={<><span>{shown}</span><Icon name="calendar" size={13} /></>}>
        {(close) => (
          <div class="dates">
            <div class="presets">
              {PRESETS.map(([name, first, last]) => (
                <button key={name} type="button" onClick={() => { change({ from: daysAgo(first), to: daysAgo(last) }); close(); }}>{say(name)}</button>
              ))}
              <button type="button" onClick={() => { change({ from: "", to: "" }); close(); }}>{say("any")}</button>
            </div>
            <TextField type="date" label={say("from")} value={from} max={to} onValue={(text) => change({ from: text })} />
            <TextField type="date" label={say("to")} value={to} min={from} onValue={(text) => change({ to: text })} />
          </div>
        )}
      </Popover>
    </div>
  );
}
