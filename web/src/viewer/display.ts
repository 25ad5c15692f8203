// From a value to its brightness, as DICOM PS3.3 has it: modality LUT or rescale (C.11.1), VOI LUT or window (C.11.2).
// The server's `/rendered?voi=standard` computes the same.

export interface Window {
  center: number;
  width: number;
}

export type WindowFunction = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

/** The first entry is for the value `first` and all below it, the last for all above. */
export interface Lut {
  entries: Uint16Array;
  first: number;
  /** The entry that is shown as white. */
  white: number;
}

/** A table whose entries have up to `bits` bits; one that needs fewer has its own greatest as white. */
export function lutOf(entries: Uint16Array, first: number, bits: number): Lut {
  let greatest = 1;
  for (const entry of entries) if (entry > greatest) greatest = entry;
  return { entries, first, white: greatest < 2 ** (bits - 1) ? greatest : 2 ** bits - 1 };
}

export interface Display {
  slope: number;
  intercept: number;
  modalityLut: Lut | null;
  /** Used unless there is a window. */
  voiLut: Lut | null;
  window: Window | null;
  windowFunction: WindowFunction;
  isInverted: boolean;
}

/** What a stored value stands for: after the modality LUT, or slope and intercept. */
export function realValue(display: Display, stored: number): number {
  return display.modalityLut ? looked(display.modalityLut, stored) : stored * display.slope + display.intercept;
}

/** The brightness of a real value, from 0 to 1, before it is inverted. */
export function brightness(display: Display, value: number): number {
  const { window, voiLut } = display;
  let level;
  if (window) level = windowed(window, display.windowFunction, value);
  else if (voiLut) level = Math.min(looked(voiLut, value) / voiLut.white, 1);
  else level = value;
  return level > 0 ? Math.min(level, 1) : 0; // NaN as well
}

function windowed({ center, width }: Window, kind: WindowFunction, value: number): number {
  if (kind === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - center)) / positive(width)));
  if (kind === "LINEAR_EXACT") return (value - center) / positive(width) + 0.5;
  if (width <= 1) return value > center - 0.5 ? 1 : 0; // a threshold: C.11.2.1.2.1
  return (value - (center - 0.5)) / (width - 1) + 0.5;
}

const positive = (width: number) => (width > 0 ? width : Number.MIN_VALUE);

function looked(lut: Lut, value: number): number {
  const place = Math.trunc(Math.min(Math.max(value - lut.first, 0), lut.entries.length - 1));
  return lut.entries[place] ?? 0;
}

/** Brightness of 0 to 255 for each code; `stored` says which stored value a code stands for. */
export function tableOf(display: Display, codes: number, stored: (code: number) => number): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(codes);
  for (let code = 0; code < codes; code++) {
    const level = Math.floor(brightness(display, realValue(display, stored(code))) * 255 + 0.5);
    table[code] = display.isInverted ? 255 - level : level;
  }
  return table;
}

/** The window in which `low` is black and `high` is white. */
export function windowOf(low: number, high: number): Window {
  return { center: (low + high) / 2 + 0.5, width: Math.max(high - low + 1, 1) };
}
