// A stack on the screen: its picture, and what is written and drawn over it.

import { useEffect, useRef } from "preact/hooks";
import type { Resource } from "../api/types";
import { messageOf } from "../api/client";
import { Icon } from "../components/icon";
import { Value } from "../components/value";
import { formatName } from "../dicom_text";
import { formatDate, formatNumber } from "../i18n";
import type { Cine } from "./cine";
import { listen } from "./gestures";
import { type Line, lengthOf } from "./measure";
import { edges } from "./orientation";
import { OverlayLayer } from "./overlay_layer";
import type { Stack } from "./stack";
import { say } from "./texts";
import { applied } from "./view";

interface Properties {
  stack: Stack;
  cine: Cine;
  study: Resource | undefined;
  series: Resource | undefined;
  hasAnnotations: boolean;
}

export function StackView({ stack, cine, study, series, hasAnnotations }: Properties) {
  const stage = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (!stage.current || !canvas.current) return undefined;
    const stop = new AbortController();
    const element = stage.current;
    const resized = () => stack.resize(element.clientWidth, element.clientHeight);
    const observer = new ResizeObserver(resized);
    resized();
    stack.attach(canvas.current);
    observer.observe(element);
    listen(element, stack, stop.signal);
    element.focus({ preventScroll: true });
    return () => {
      stop.abort();
      observer.disconnect();
      stack.detach();
      cine.isPlaying.value = false;
    };
  }, [stack]);
  return (
    <div class="viewer-stack">
      <div class={`viewer-stage tool-${stack.tool.value}`} ref={stage} role="application" tabIndex={0} aria-label={say("image")}>
        <canvas ref={canvas} aria-hidden="true" />
        {stack.overlays.areShown.value && <OverlayLayer stack={stack} />}
        <Lines stack={stack} />
        {hasAnnotations && <Annotations stack={stack} study={study} series={series} />}
        <Letters stack={stack} />
        <Trouble stack={stack} />
      </div>
      {stack.length > 1 && <ScrollBar stack={stack} />}
      <Announcement stack={stack} />
    </div>
  );
}

/** A value with as many digits as it needs, and what it is measured in. */
function valueText(stack: Stack): string {
  const values = stack.valuesAtCursor.value;
  const units = values.length === 1 ? (stack.slice.value?.units ?? "") : "";
  return `${values.map((each) => formatNumber(each, Math.abs(each) < 100 ? 3 : 1)).join(" · ")}${units ? ` ${units}` : ""}`;
}

function Annotations({ stack, study, series }: Pick<Properties, "stack" | "study" | "series">) {
  const patient = study?.PatientMainDicomTags ?? {};
  const tags = study?.MainDicomTags ?? {};
  const own = series?.MainDicomTags ?? {};
  const slice = stack.slice.value;
  const place = slice?.location ?? (slice?.position && slice.orientation ? along(slice.position, slice.orientation) : undefined);
  return (
    <>
      <div class="viewer-corner top left">
        <Value text={formatName(patient.PatientName ?? "")} short />
        <Value text={patient.PatientID ?? ""} short />
        <Value text={[formatDate(patient.PatientBirthDate ?? ""), patient.PatientSex ?? ""].filter(Boolean).join(" · ")} short />
      </div>
      <div class="viewer-corner top right">
        <Value text={formatDate(tags.StudyDate ?? "")} short />
        <Value text={tags.StudyDescription ?? ""} short />
        <Value text={own.SeriesDescription ?? ""} short />
        {own.SeriesNumber && <span>{say("seriesNumber", { number: own.SeriesNumber })}</span>}
      </div>
      <div class="viewer-corner bottom left">
        <span>{say("slice")} {say("sliceOf", { at: stack.at.value + 1, count: stack.length })}</span>
        {place !== undefined && <span>{say("position", { value: place.toFixed(1) })}</span>}
        {stack.loaded.value < stack.length && <span class="quiet">{say("loaded", { loaded: stack.loaded.value, count: stack.length })}</span>}
      </div>
      <div class="viewer-corner bottom right">
        <CursorValue stack={stack} />
        <WindowValue stack={stack} />
        {stack.frame.value && <span>{say("zoomShown", { zoom: `${formatNumber(stack.view.value.zoom * devicePixelRatio * 100)} %` })}</span>}
      </div>
    </>
  );
}

/** Where a slice lies on the line that is perpendicular to it. */
function along([x, y, z]: readonly [number, number, number], { across: a, down: d }: { across: readonly [number, number, number]; down: readonly [number, number, number] }): number {
  return x * (a[1] * d[2] - a[2] * d[1]) + y * (a[2] * d[0] - a[0] * d[2]) + z * (a[0] * d[1] - a[1] * d[0]);
}

function CursorValue({ stack }: { stack: Stack }) {
  const cursor = stack.cursor.value;
  if (!cursor || stack.valuesAtCursor.value.length === 0) return null;
  return <span class="viewer-value">{say("pixel", { x: String(Math.floor(cursor[0])), y: String(Math.floor(cursor[1])) })}: {valueText(stack)}</span>;
}

function WindowValue({ stack }: { stack: Stack }) {
  const display = stack.display.value;
  if (!display || (stack.frame.value?.channels === 3 && !stack.window.value)) return null;
  const rounded = (value: number) => formatNumber(value, Math.abs(value) < 10 ? 2 : 0);
  if (!display.window) return <span>{say("lut")}</span>;
  return <span class="viewer-window">{say("windowShown", { width: rounded(display.window.width), center: rounded(display.window.center) })}</span>;
}

function Letters({ stack }: { stack: Stack }) {
  const orientation = stack.slice.value?.orientation;
  if (!orientation) return null;
  const found = edges(orientation, stack.view.value);
  return (
    <div class="viewer-letters">
      {(["top", "right", "bottom", "left"] as const).map((side) => <span key={side} class={side}>{found[side]}</span>)}
    </div>
  );
}

function Lines({ stack }: { stack: Stack }) {
  const slice = stack.slice.value;
  const matrix = stack.matrix.value;
  const unfinished = stack.unfinished.value;
  const cursor = stack.tool.value === "length" || stack.announced.value > 0 ? stack.cursor.value : null;
  const lines = unfinished ? [...stack.linesHere.value, unfinished] : stack.linesHere.value;
  if (!slice) return null;
  const [crossX, crossY] = cursor ? applied(matrix, cursor) : [];
  return (
    <svg class="viewer-lines" aria-hidden="true">
      {lines.map((line, at) => {
        const [x1, y1] = applied(matrix, line.from);
        const [x2, y2] = applied(matrix, line.to);
        return (
          <g key={at}>
            <line x1={x1} y1={y1} x2={x2} y2={y2} />
            <text x={Math.max(x1, x2) + 8} y={x1 > x2 ? y1 : y2}>{lengthText(line, stack)}</text>
          </g>
        );
      })}
      {crossX !== undefined && crossY !== undefined && <path class="cross" d={`M${crossX - 7} ${crossY}h14M${crossX} ${crossY - 7}v14`} />}
    </svg>
  );
}

function lengthText(line: Line, stack: Stack): string {
  const slice = stack.slice.value;
  if (!slice) return "";
  const { value, kind } = lengthOf(line, slice);
  return say(kind === "patient" ? "inPatient" : kind === "detector" ? "inDetector" : "inPixels", { value: formatNumber(value, 1) });
}

/** What there is instead of a picture. */
function Trouble({ stack }: { stack: Stack }) {
  const failure = stack.failure.value;
  if (failure !== undefined) {
    return (
      <div class="viewer-trouble" role="alert">
        <p><Icon name="error" /> {say("failedPicture")}</p>
        <p class="quiet"><Value text={messageOf(failure)} short /></p>
        <button type="button" onClick={() => stack.retry()}>{say("retry")}</button>
      </div>
    );
  }
  if (stack.paintingError.value !== null) return <div class="viewer-trouble" role="alert"><Value text={messageOf(stack.paintingError.value)} short /></div>;
  return stack.frame.value ? null : <p class="viewer-trouble" role="status"><span class="spinner" aria-hidden="true" /> {say("loading")}</p>;
}

function ScrollBar({ stack }: { stack: Stack }) {
  const at = stack.at.value;
  const text = say("sliceOf", { at: at + 1, count: stack.length });
  return (
    <input class="viewer-scroll" type="range" aria-label={say("slice")} aria-valuetext={text} min={0} max={stack.length - 1} step={1} value={at}
      onInput={(event) => stack.show(Number(event.currentTarget.value))} />
  );
}

/** For screen readers: the value under a cursor that keys have moved, and the length that ends there. */
function Announcement({ stack }: { stack: Stack }) {
  const isAsked = stack.announced.value > 0;
  const cursor = stack.cursor.value;
  const line = stack.unfinished.value ?? stack.linesHere.value.at(-1);
  const parts = isAsked && cursor ? [
    say("valueAt", { value: valueText(stack), x: String(Math.floor(cursor[0])), y: String(Math.floor(cursor[1])) }),
    ...(line && stack.tool.value === "length" ? [say("lengthIs", { length: lengthText(line, stack) })] : []),
  ] : [];
  return <p class="visually-hidden" role="status">{parts.join(". ")}</p>;
}
