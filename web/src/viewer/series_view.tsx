// One series: its toolbar, and what shows it.

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Resource } from "../api/types";
import { Failure, Loading } from "../components/states";
import { Value } from "../components/value";
import { remember, remembered } from "../storage";
import { Help } from "./help";
import { DocumentView } from "./document_view";
import { pressed } from "./keys";
import { StackView } from "./stack_view";
import { say } from "./texts";
import { Toolbar } from "./toolbar";
import { useContent } from "./use_content";
import { VolumeView } from "./volume_view";

interface Properties {
  id: string;
  study: Resource | undefined;
  series: Resource | undefined;
  otherSeries: (step: number) => void;
  togglePanel: () => void;
  /** Called when the first picture can be seen, or there will be none. */
  onShown: () => void;
}

export type Mode = "pictures" | "reformats" | "volume";

const hasAnnotations = signal(remembered("viewer.annotations", true));

function toggleAnnotations(): void {
  hasAnnotations.value = !hasAnnotations.value;
  remember("viewer.annotations", hasAnnotations.value);
}

export function SeriesView({ id, study, series, otherSeries, togglePanel, onShown }: Properties) {
  const [turn, setTurn] = useState(0);
  const content = useContent(id, turn);
  const [mode, setMode] = useState<Mode>("pictures");
  const [hasHelp, setHelp] = useState(false);
  const { stack, cine, kind } = content;
  const isShown = stack ? stack.isShown.value : kind !== null || content.error !== null;
  useEffect(() => { if (isShown) onShown(); }, [isShown]);

  const keyDown = (event: KeyboardEvent) => {
    if (hasHelp || isForElement(event)) return;
    const commands = { otherSeries, play: () => cine?.toggle(), annotations: toggleAnnotations, help: () => setHelp(true) };
    if (pressed(event, mode === "pictures" ? stack : null, commands)) event.preventDefault();
  };
  // Keys come faster than effects run: each finds what was drawn last.
  const latest = useRef(keyDown);
  latest.current = keyDown;
  useEffect(() => {
    const listener = (event: KeyboardEvent) => latest.current(event);
    addEventListener("keydown", listener);
    return () => removeEventListener("keydown", listener);
  }, []);

  const retry = () => setTurn(turn + 1);
  return (
    <div class="viewer-main">
      <Toolbar study={study} series={series} content={content} mode={mode} onMode={setMode} hasAnnotations={hasAnnotations.value}
        onAnnotations={toggleAnnotations} onHelp={() => setHelp(true)} togglePanel={togglePanel} />
      <div class="viewer-content">
        {content.error ? <Failure error={content.error} retry={retry} />
          : kind === null ? <Loading />
          : stack && cine && mode !== "pictures" ? <VolumeView key={mode} stack={stack} mode={mode} />
          : stack && cine ? <StackView stack={stack} cine={cine} study={study} series={series} hasAnnotations={hasAnnotations.value} />
          : <DocumentView instances={content.instances} />}
      </div>
      <p class="viewer-notice" title={say("notForDiagnosisLong")}>
        {say("notForDiagnosis")}<span class="visually-hidden">. {say("notForDiagnosisLong")}</span>
        {series && <span class="quiet"> · <Value text={series.MainDicomTags.SeriesDescription ?? ""} short /></span>}
      </p>
      {hasHelp && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}

/** Whether an element does something of its own with the key: fields, menus, dialogs, and buttons with Enter and Space. */
function isForElement({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest("input, select, textarea, dialog, [role=menu], .viewer-3d")) return true;
  return (key === "Enter" || key === " ") && target.closest("a, button") !== null;
}
