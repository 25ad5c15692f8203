// Overlays: drawings of one bit for each pixel that a file has beside its picture, in the groups 6000 to 601E. Source:
// PS3.3 C.9.2 and C.9.3.

import { get, part, request } from "../api/client";

export interface Overlay {
  columns: number;
  rows: number;
  /** Where its first pixel lies on the image. */
  left: number;
  top: number;
  /** The frame of the image on which its first one lies, and how many it has; null: its only one lies on all. */
  frames: { first: number; count: number } | null;
  /** Eight pixels in each, the first one in the lowest bit; frames follow each other without gap. */
  bits: Uint8Array;
}

const FIRST_GROUP = 0x6000;
const LAST_GROUP = 0x601e;

/** Those of an instance. What lies in unused bits of the pixels, as retired editions of the standard had it, is none. */
export async function loadOverlays(instance: string, stop: AbortSignal): Promise<Overlay[]> {
  const path = `instances/${part(instance)}`;
  const tags = await get<Record<string, unknown>>(`${path}/tags`, { query: { short: true }, signal: stop });
  const found: Promise<Overlay>[] = [];
  for (let group = FIRST_GROUP; group <= LAST_GROUP; group += 2) {
    const name = group.toString(16);
    const numbers = (element: string) => String(tags[`${name},${element}`] ?? "").split("\\").map(Number);
    const [rows = 0] = numbers("0010");
    const [columns = 0] = numbers("0011");
    if (!(rows > 0 && columns > 0) || !(`${name},3000` in tags)) continue;
    const [top = 1, left = 1] = numbers("0050");
    const [count = 0] = numbers("0015");
    const [first = 1] = numbers("0051");
    const overlay = { rows, columns, top: (top || 1) - 1, left: (left || 1) - 1, frames: count > 1 ? { first: (first || 1) - 1, count } : null };
    found.push(request("GET", `${path}/content/${name}-3000`, null, { signal: stop })
      .then((answer) => answer.arrayBuffer()).then((bytes) => ({ ...overlay, bits: new Uint8Array(bytes) })));
  }
  return Promise.all(found);
}

/** Draws what lies on a frame in one colour, on nothing. */
export function drawOverlay({ columns, rows, frames, bits }: Overlay, frame: number, canvas: HTMLCanvasElement, colour: readonly [number, number, number]): void {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const own = frames ? frame - frames.first : 0;
  if (!context || own < 0 || own >= (frames?.count ?? 1)) return;
  const image = context.createImageData(columns, rows);
  const begin = own * columns * rows;
  for (let at = 0; at < columns * rows; at++) {
    const bit = begin + at;
    if (((bits[bit >> 3] ?? 0) >> (bit & 7)) & 1) image.data.set([...colour, 255], at * 4);
  }
  context.putImageData(image, 0, 0);
}
