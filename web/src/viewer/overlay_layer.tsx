// The overlays of a picture, over it: as large, turned and moved as it is.

import { useLayoutEffect, useRef } from "preact/hooks";
import { useLoaded } from "../hooks";
import { type Overlay, drawOverlay, loadOverlays } from "./overlays";
import type { Stack } from "./stack";
import type { Matrix } from "./view";

const COLOUR = [255, 213, 74] as const; // as lengths and letters

export function OverlayLayer({ stack }: { stack: Stack }) {
  const place = stack.places[stack.at.value];
  const found = useLoaded((stop) => (place ? loadOverlays(place.instance, stop) : Promise.resolve([])), [place?.instance]);
  if (!place || found.loading || !stack.frame.value) return null;
  return <>{found.value?.map((each, at) => <Drawing key={at} overlay={each} frame={place.frame} matrix={stack.matrix.value} />)}</>;
}

function Drawing({ overlay, frame, matrix }: { overlay: Overlay; frame: number; matrix: Matrix }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => { if (canvas.current) drawOverlay(overlay, frame, canvas.current, COLOUR); }, [overlay, frame]);
  return <canvas ref={canvas} class="viewer-overlay" aria-hidden="true" style={{ transform: `matrix(${matrix.join(",")}) translate(${overlay.left}px, ${overlay.top}px)` }} />;
}
