// Reformats and the 3D view of a series that is a volume.

import { useEffect, useRef, useState } from "preact/hooks";
import { get, isAbort, messageOf, part, request } from "../api/client";
import { Icon } from "../components/icon";
import { Value } from "../components/value";
import { formatBytes, formatNumber } from "../i18n";
import type { Stack } from "./stack";
import { say } from "./texts";
import { readVolume } from "./volume_data";
import type { ShownVolume, VolumeMode } from "./volume_library";

interface Geometry {
  IsUniform: boolean;
}

interface State {
  phase: "loading" | "preparing" | "shown";
  done: number;
  total: number | null;
  reducedTo: string | null;
  isUniform: boolean;
  error: unknown;
}

const COLOURS = { gray: "grey", ct_bones: "bones", ct_muscles: "muscles", ct_vessels: "vessels" } as const;
const BEGINNING: State = { phase: "loading", done: 0, total: null, reducedTo: null, isUniform: true, error: null };

export function VolumeView({ stack, mode }: { stack: Stack; mode: VolumeMode }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = useRef<ShownVolume | null>(null);
  const [state, setState] = useState(BEGINNING);
  const [colours, setColours] = useState<string>("gray");
  const [place, setPlace] = useState<string | null>(null);
  const units = stack.slice.value?.units ?? "";
  const isCt = units === "HU";

  useEffect(() => {
    const stop = new AbortController();
    const change = (next: Partial<State>) => { if (!stop.signal.aborted) setState((before) => ({ ...before, ...next })); };
    const located = (value: number, [x = 0, y = 0, z = 0]: readonly number[]) => {
      if (!stop.signal.aborted) setPlace(`${formatNumber(value, 1)} ${units} · ${[-x, -y, z].map((each) => each.toFixed(1)).join(", ")} mm`);
    };
    setState(BEGINNING);
    show(stack, mode, canvas.current, change, located, stop.signal).then((made) => {
      if (stop.signal.aborted) made?.close();
      else shown.current = made;
    }, (error) => { if (!isAbort(error)) change({ error }); });
    return () => {
      stop.abort();
      shown.current?.close();
      shown.current = null;
    };
  }, [stack, mode]);

  const choose = (name: string) => {
    setColours(name);
    shown.current?.setColours(name);
  };
  return (
    <div class="viewer-3d">
      <div class="viewer-3d-bar row">
        {mode === "volume" && isCt && (
          <label>{say("colours")} <select value={colours} onChange={(event) => choose(event.currentTarget.value)}>
            {Object.entries(COLOURS).map(([name, text]) => <option key={name} value={name}>{say(text)}</option>)}
          </select></label>
        )}
        {mode === "reformats" && place && <span class="viewer-value">{place}</span>}
        {state.reducedTo && <span class="quiet">{say("volumeReduced", { size: state.reducedTo })}</span>}
        {!state.isUniform && <span class="warning"><Icon name="warning" /> {say("notUniform")}</span>}
      </div>
      <div class="viewer-3d-stage">
        <canvas ref={canvas} tabIndex={0} role="img" aria-label={say("volumeCanvas")} />
        <Waiting state={state} />
      </div>
    </div>
  );
}

function Waiting({ state: { phase, done, total, error } }: { state: State }) {
  if (error) return <div class="viewer-trouble" role="alert"><p><Icon name="error" /> {say("noVolume", { reason: "" })}</p><p class="quiet"><Value text={messageOf(error)} short /></p></div>;
  if (phase === "shown") return null;
  const text = phase === "preparing" ? say("volumePreparing") : say("volumeLoading", { done: formatBytes(done), total: total === null ? "…" : formatBytes(total) });
  return <p class="viewer-trouble" role="status"><span class="spinner" aria-hidden="true" /> {text}</p>;
}

async function show(
  stack: Stack, mode: VolumeMode, canvas: HTMLCanvasElement | null, change: (next: Partial<State>) => void,
  located: (value: number, millimetres: readonly number[]) => void, stop: AbortSignal,
): Promise<ShownVolume | null> {
  const path = `series/${part(stack.series)}`;
  const [library, { IsUniform }] = await Promise.all([import("./volume_library"), get<Geometry>(`${path}/geometry`, { signal: stop })]);
  const { voxels, side } = library.drawable();
  const answer = await request("GET", `${path}/nifti`, null, { query: { dtype: stack.isWhole ? "int16" : "float32" }, signal: stop });
  if (!answer.body || !canvas) return null;
  let last = 0;
  const volume = await readVolume(answer.body, voxels, side, (done, total) => {
    // A component that is drawn for each part would take longer than the part.
    if (done - last < 1 << 20 && done !== total) return;
    last = done;
    change({ done, total });
  });
  change({ phase: "preparing", isUniform: IsUniform, reducedTo: volume.isReduced ? volume.size.join(" × ") : null });
  await new Promise((resolve) => setTimeout(resolve)); // the text is seen before the work begins
  if (stop.aborted) return null;
  const shown = await library.showVolume(canvas, volume.bytes, mode, stack.display.value?.window ?? null, located);
  change({ phase: "shown" });
  return shown;
}
