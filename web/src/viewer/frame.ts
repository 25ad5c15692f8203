// One picture in memory: the stored values, and codes of 8 or 16 bits for them that painters look up.

import type { NumberArray, Values } from "./npy";

export type Codes = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

export interface Frame {
  columns: number;
  rows: number;
  /** 1, or 3 for red, green and blue. */
  channels: number;
  values: Values;
  codes: Codes;
  /** How many codes there can be. */
  codeCount: number;
  /** The stored value of a code. */
  stored: (code: number) => number;
  /** Frames whose codes mean the same have the same text here. */
  coding: string;
}

/** The frames of an array of (frames, rows, columns, channels). */
export function framesOf({ shape, values }: NumberArray): Frame[] {
  const [rows = 0, columns = 0, channels = 0] = shape.slice(-3);
  const size = rows * columns * channels;
  const count = shape.length > 3 ? (shape[0] ?? 0) : 1;
  if (size === 0 || (channels !== 1 && channels !== 3)) throw new Error(`an image of ${columns} x ${rows} x ${channels} values`);
  return Array.from({ length: count }, (_, number) => frameOf(columns, rows, channels, values.subarray(number * size, (number + 1) * size) as Values));
}

export function frameOf(columns: number, rows: number, channels: number, values: Values): Frame {
  return { columns, rows, channels, values, ...(channels === 3 ? colourCodes(values) : codesOf(values)) };
}

type Coded = Pick<Frame, "codes" | "codeCount" | "stored" | "coding">;

function codesOf(values: Values): Coded {
  if (values instanceof Uint8Array) return { codes: values, codeCount: 256, stored: (code) => code, coding: "u1" };
  if (values instanceof Uint16Array) return { codes: values, codeCount: 65536, stored: (code) => code, coding: "u2" };
  if (values instanceof Int8Array) {
    return { codes: new Uint8Array(values.buffer, values.byteOffset, values.length), codeCount: 256, stored: (code) => (code << 24) >> 24, coding: "i1" };
  }
  if (values instanceof Int16Array) {
    return { codes: new Uint16Array(values.buffer, values.byteOffset, values.length), codeCount: 65536, stored: (code) => (code << 16) >> 16, coding: "i2" };
  }
  return quantised(values);
}

/** Wider values in 65536 steps between the lowest and the highest of the frame. */
function quantised(values: Values): Coded {
  const [low, high] = rangeOf(values);
  const step = (high - low) / 65535 || 1;
  const codes = new Uint16Array(values.length);
  for (let at = 0; at < values.length; at++) codes[at] = Math.round(((values[at] as number) - low) / step);
  return { codes, codeCount: 65536, stored: (code) => low + code * step, coding: `${low} ${step}` };
}

function colourCodes(values: Values): Coded {
  if (values instanceof Uint8Array) return { codes: values, codeCount: 256, stored: (code) => code, coding: "rgb" };
  const shift = values.BYTES_PER_ELEMENT * 8 - 8;
  return { codes: Uint8Array.from(values, (value) => value >>> shift), codeCount: 256, stored: (code) => code, coding: "rgb" };
}

/** The lowest and the highest finite value; those equal to `padding` do not count. */
export function rangeOf(values: Values, padding?: number): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as number;
    if (value === padding || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}

const halves = new WeakMap<Frame, Frame>();

/** The frame with half as many columns and rows, each value the mean of four: large images are shown much smaller than
 * they are, and picking single pixels would make patterns that are not there. */
export function halved(frame: Frame): Frame {
  let half = halves.get(frame);
  if (!half) halves.set(frame, (half = makeHalf(frame)));
  return half;
}

function makeHalf({ columns, rows, channels, values }: Frame): Frame {
  const width = columns >> 1;
  const height = rows >> 1;
  const made = new (values.constructor as new (length: number) => Values)(width * height * channels);
  const line = columns * channels;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let from = 2 * (y * line + x * channels);
      for (let channel = 0; channel < channels; channel++, to++, from++) {
        made[to] = ((values[from] as number) + (values[from + channels] as number)
          + (values[from + line] as number) + (values[from + line + channels] as number)) / 4;
      }
    }
  }
  return frameOf(width, height, channels, made);
}

/** The stored values of a pixel; nothing outside of the frame. */
export function pixelAt(frame: Frame, x: number, y: number): number[] {
  if (x < 0 || y < 0 || x >= frame.columns || y >= frame.rows) return [];
  const at = (y * frame.columns + x) * frame.channels;
  return Array.from(frame.values.subarray(at, at + frame.channels));
}
