// What can be done with what is shown.

import type { ComponentChildren } from "preact";
import { get } from "../api/client";
import type { Resource } from "../api/types";
import { Icon, type IconName } from "../components/icon";
import { Menu } from "../components/menu";
import { Value } from "../components/value";
import { formatName } from "../dicom_text";
import { useLoaded } from "../hooks";
import { href, resourceHref } from "../router";
import type { Cine } from "./cine";
import { RATES } from "./cine";
import { otherViewers } from "./other_viewers";
import { PRESET_NAMES, PRESETS } from "./presets";
import type { Mode } from "./series_view";
import { type Stack, type Tool, TOOLS } from "./stack";
import { textOf } from "./tags";
import { say } from "./texts";
import type { Content } from "./use_content";

interface Properties {
  study: Resource | undefined;
  series: Resource | undefined;
  content: Content;
  mode: Mode;
  onMode: (mode: Mode) => void;
  hasAnnotations: boolean;
  onAnnotations: () => void;
  onHelp: () => void;
  togglePanel: () => void;
}

const TOOL_ICONS: Record<Tool, IconName> = { window: "contrast", scroll: "scroll", zoom: "zoom", pan: "move", length: "ruler" };

export function Toolbar({ study, content, mode, onMode, hasAnnotations, onAnnotations, onHelp, togglePanel }: Properties) {
  const { stack, cine } = content;
  const patient = study?.PatientMainDicomTags;
  return (
    <header class="viewer-bar">
      <a class="button plain" href={study ? resourceHref("Study", study.ID) : href("studies")} aria-label={say("back")} title={say("back")}><Icon name="back" /></a>
      <button type="button" class="plain" aria-label={say("panel")} title={say("panel")} onClick={togglePanel}><Icon name="panel" /></button>
      <h2><Value text={formatName(patient?.PatientName ?? "") || patient?.PatientID || ""} short /></h2>
      {stack && mode === "pictures" && <PictureTools stack={stack} />}
      {stack && cine && mode === "pictures" && stack.length > 1 && <CineTools cine={cine} />}
      {stack?.mayBeVolume.value && <Modes mode={mode} onMode={onMode} />}
      <span class="push" />
      {stack && <Toggle icon="label" name={say("annotations")} isOn={hasAnnotations} onToggle={onAnnotations} />}
      {study && <Elsewhere study={study} content={content} />}
      <button type="button" class="plain" aria-label={say("help")} title={`${say("help")} (?)`} onClick={onHelp}><Icon name="help" /></button>
    </header>
  );
}

function PictureTools({ stack }: { stack: Stack }) {
  const { areThere, areShown } = stack.overlays;
  return (
    <>
      <div class="viewer-group" role="group" aria-label={say("tools")}>
        {TOOLS.map((tool) => <Toggle key={tool} icon={TOOL_ICONS[tool]} name={say(tool)} isOn={stack.tool.value === tool} onToggle={() => { stack.tool.value = tool; }} />)}
      </div>
      <Windows stack={stack} />
      <Menu label={say("view")} icon="eye" class="plain" items={[
        { id: "fit", label: say("fit"), run: () => stack.fit() },
        { id: "actual", label: say("actualSize"), run: () => stack.showActualSize() },
        { id: "turn", label: say("turn"), icon: "turn", separated: true, run: () => stack.turn() },
        { id: "horizontal", label: say("flipHorizontal"), icon: "flip", run: () => stack.flip("horizontal") },
        { id: "vertical", label: say("flipVertical"), run: () => stack.flip("vertical") },
        { id: "invert", label: say("invert"), checked: stack.isInverted.value, separated: true, run: () => stack.invert() },
        { id: "smooth", label: say("smooth"), checked: stack.isSmooth.value, run: () => stack.smooth() },
        ...(areThere.value ? [{ id: "overlays", label: say("overlays"), checked: areShown.value, run: () => { areShown.value = !areShown.value; } }] : []),
        { id: "line", label: say("removeLine"), disabled: stack.linesHere.value.length === 0, separated: true, run: () => stack.removeLine() },
        { id: "reset", label: say("reset"), icon: "refresh", run: () => stack.reset() },
      ]} />
    </>
  );
}

/** The windows of the file under their names there; of CT those that people know as well. */
function Windows({ stack }: { stack: Stack }) {
  const slice = stack.slice.value;
  const own = slice?.windows ?? [];
  const named = own.length > 1 ? own : [];
  const known = slice?.units === "HU" ? PRESET_NAMES : [];
  return (
    <Menu label={say("presets")} icon="sun" class="plain" items={[
      { id: "file", label: say("ofFile"), checked: stack.window.value === null, run: () => stack.setWindow(null) },
      ...named.map(({ center, width, name }, at) => ({ id: `own${at}`, label: name || say("windowShown", { width: String(width), center: String(center) }), run: () => stack.setWindow({ center, width }) })),
      { id: "all", label: say("wholeRange"), run: () => stack.showAllValues() },
      ...known.map((name, at) => ({ id: name, label: say(`preset_${name}`), separated: at === 0, run: () => stack.setWindow(PRESETS[name]) })),
    ]} />
  );
}

function CineTools({ cine }: { cine: Cine }) {
  const isPlaying = cine.isPlaying.value;
  const rate = Math.round(cine.rate.value * 10) / 10;
  const rates = RATES.includes(rate) ? RATES : [...RATES, rate].sort((one, other) => one - other);
  return (
    <div class="viewer-group" role="group" aria-label={say("cine")}>
      <button type="button" class="plain" aria-label={say(isPlaying ? "pause" : "play")} title={say(isPlaying ? "pause" : "play")} onClick={() => cine.toggle()}>
        <Icon name={isPlaying ? "pause" : "play"} />
      </button>
      <select aria-label={say("rate")} title={say("rate")} value={String(rate)} onChange={(event) => { cine.rate.value = Number(event.currentTarget.value); }}>
        {rates.map((each) => <option key={each} value={String(each)}>{each}/s</option>)}
      </select>
    </div>
  );
}

function Modes({ mode, onMode }: { mode: Mode; onMode: (mode: Mode) => void }) {
  const toggle = (wanted: Mode) => () => onMode(mode === wanted ? "pictures" : wanted);
  return (
    <div class="viewer-group" role="group" aria-label={say("volume")}>
      <Toggle icon="planes" name={say("reformats")} isOn={mode === "reformats"} onToggle={toggle("reformats")}>{say("reformats")}</Toggle>
      <Toggle icon="cube" name={say("volume")} isOn={mode === "volume"} onToggle={toggle("volume")}>{say("volume")}</Toggle>
    </div>
  );
}

function Elsewhere({ study, content }: { study: Resource; content: Content }) {
  const viewers = useLoaded((stop) => otherViewers(study, (path) => get(path, { signal: stop })), [study.ID]);
  const at = content.stack?.places[content.stack.at.value]?.instance ?? content.instances[0];
  const sopClass = textOf(content.tags ?? undefined, "SOPClassUID");
  return (
    <Menu label={say("more")} icon="more" class="plain" align="end" items={[
      ...(at && sopClass ? [{ id: "tags", label: say("tags"), href: resourceHref("Instance", at) }] : []),
      ...(viewers.value ?? []).map(({ name, url }) => ({ id: name, label: say("openIn", { name }), icon: "link" as const, href: url })),
      { id: "study", label: say("back"), href: resourceHref("Study", study.ID) },
    ]} />
  );
}

interface ToggleProperties {
  icon: IconName;
  name: string;
  isOn: boolean;
  onToggle: () => void;
  children?: ComponentChildren;
}

function Toggle({ icon, name, isOn, onToggle, children }: ToggleProperties) {
  return (
    <button type="button" class="plain" aria-pressed={isOn} aria-label={name} title={name} onClick={onToggle}>
      <Icon name={icon} />{children && <span class="viewer-word">{children}</span>}
    </button>
  );
}
