// What mouse and fingers do to a stack. One pointer uses a tool, two fingers zoom and move.

import type { Stack, Tool } from "./stack";
import type { Point } from "./view";

const NOTCH = 40; // pixels that a wheel or a finger moves for one picture
const LARGEST_NOTCH = 120; // a turn of a wheel by one notch is one picture, however many pixels the browser makes of it
const BUTTON_TOOLS: Partial<Record<number, Tool>> = { 1: "pan", 2: "zoom" };

/** Listens on `stage` until `stop`. */
export function listen(stage: HTMLElement, stack: Stack, stop: AbortSignal): void {
  const pointers = new Map<number, Point>();
  let tool: Tool | null = null;
  let distance = 0;
  let hasMoved = false;

  const pointOf = (event: MouseEvent): Point => {
    const { left, top } = stage.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };

  function down(event: PointerEvent): void {
    if (event.target !== stage && !(event.target instanceof HTMLCanvasElement || event.target instanceof SVGElement)) return;
    const point = pointOf(event);
    pointers.set(event.pointerId, point);
    stage.setPointerCapture(event.pointerId);
    tool = BUTTON_TOOLS[event.button] ?? (event.pointerType === "mouse" && event.button > 2 ? null : stack.tool.value);
    distance = 0;
    hasMoved = false;
    if (tool === "length" && pointers.size === 1) stack.mark(stack.onImage(point));
    if (event.button === 1) event.preventDefault(); // no automatic scrolling
  }

  function move(event: PointerEvent): void {
    const now = pointOf(event);
    const before = pointers.get(event.pointerId);
    stack.moveCursor(stack.onImage(now));
    if (!before || tool === null) return;
    if (pointers.size === 2) pinch(event.pointerId, before, now);
    else drag(tool, now[0] - before[0], now[1] - before[1], now);
    pointers.set(event.pointerId, now);
  }

  function drag(used: Tool, right: number, downwards: number, now: Point): void {
    hasMoved ||= Math.hypot(right, downwards) > 2;
    if (used === "window") stack.dragWindow(right, downwards);
    else if (used === "pan") stack.panBy(right, downwards);
    else if (used === "zoom") stack.zoomBy(2 ** (-downwards / 100));
    else if (used === "scroll") scrollBy(downwards);
    else stack.moveCursor(stack.onImage(now));
  }

  function pinch(moved: number, before: Point, now: Point): void {
    const other = [...pointers].find(([id]) => id !== moved)?.[1];
    if (!other) return;
    const far = ([x, y]: Point) => Math.max(Math.hypot(x - other[0], y - other[1]), 1);
    const middle = ([x, y]: Point): Point => [(x + other[0]) / 2, (y + other[1]) / 2];
    stack.panBy(middle(now)[0] - middle(before)[0], middle(now)[1] - middle(before)[1]);
    stack.zoomBy(far(now) / far(before), middle(now));
  }

  function scrollBy(pixels: number): void {
    distance += pixels;
    const pictures = Math.trunc(distance / NOTCH);
    distance -= pictures * NOTCH;
    if (pictures) stack.show(stack.at.value + pictures);
  }

  function up(event: PointerEvent): void {
    if (!pointers.delete(event.pointerId)) return;
    // A length is drawn by dragging, or by two clicks.
    if (tool === "length" && hasMoved && stack.unfinished.value) stack.mark(stack.onImage(pointOf(event)));
    if (pointers.size === 0) tool = null;
  }

  function wheel(event: WheelEvent): void {
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * NOTCH;
    if (event.ctrlKey) stack.zoomBy(2 ** (-pixels / 200), pointOf(event));
    else if (Math.abs(pixels) >= NOTCH && Math.abs(pixels) <= LARGEST_NOTCH) stack.show(stack.at.value + Math.sign(pixels));
    else scrollBy(pixels);
  }

  const options = { signal: stop };
  stage.addEventListener("pointerdown", down, options);
  stage.addEventListener("pointermove", move, options);
  stage.addEventListener("pointerup", up, options);
  stage.addEventListener("pointercancel", up, options);
  stage.addEventListener("pointerleave", () => { if (!pointers.size) stack.moveCursor(null); }, options);
  stage.addEventListener("wheel", wheel, { ...options, passive: false });
  stage.addEventListener("contextmenu", (event) => event.preventDefault(), options);
}
