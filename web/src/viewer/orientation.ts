// Where left, head and front of the patient are on the screen. Source: DICOM PS3.3 C.7.6.1.1.1 and C.7.6.2.

import type { View } from "./view";

export type Vector = readonly [number, number, number];

/** Directions of rows (to the right) and of columns (down), in the patient. */
export interface Orientation {
  across: Vector;
  down: Vector;
}

const LETTERS = [["L", "R"], ["P", "A"], ["H", "F"]] as const;
const TOO_SMALL = 0.2; // of a unit vector

/** Letters of a direction, the most important first: "L", "LP". */
export function letters(direction: Vector): string {
  const parts = direction
    .map((length, axis) => ({ size: Math.abs(length), letter: LETTERS[axis]?.[length >= 0 ? 0 : 1] ?? "" }))
    .filter(({ size }) => size > TOO_SMALL)
    .sort((one, other) => other.size - one.size);
  return parts.slice(0, 2).map(({ letter }) => letter).join("");
}

export interface Edges {
  top: string;
  right: string;
  bottom: string;
  left: string;
}

/** The letters at the edges of the screen. */
export function edges({ across, down }: Orientation, view: View): Edges {
  const right = view.isMirrored ? negative(across) : across;
  const around = [right, down, negative(right), negative(down)];
  // With each quarter turn clockwise what was at the top comes to the right.
  const side = (number: number) => letters(around[(((number - view.turns) % 4) + 4) % 4] ?? across);
  return { right: side(0), bottom: side(1), left: side(2), top: side(3) };
}

function negative([x, y, z]: Vector): Vector {
  return [-x, -y, -z];
}

/** From six numbers of ImageOrientationPatient; null where they are none. */
export function orientationOf(numbers: number[]): Orientation | null {
  if (numbers.length !== 6 || numbers.some((each) => !Number.isFinite(each))) return null;
  const [a, b, c, d, e, f] = numbers as [number, number, number, number, number, number];
  return { across: [a, b, c], down: [d, e, f] };
}
