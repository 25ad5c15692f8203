// Lengths on an image.

import type { Slice, Spacing, SpacingKind } from "./slice";
import type { Point } from "./view";

export interface Line {
  from: Point;
  to: Point;
}

export interface Length {
  value: number;
  /** Null for pixels: the file does not say how large they are. */
  kind: SpacingKind | null;
}

/** In millimetres, where the file says how large pixels are. */
export function lengthOf({ from, to }: Line, slice: Pick<Slice, "spacing" | "regions">): Length {
  const spacing = regionOf(slice, from, to) ?? slice.spacing;
  const across = (to[0] - from[0]) * (spacing?.column ?? 1);
  const down = (to[1] - from[1]) * (spacing?.row ?? 1);
  return { value: Math.hypot(across, down), kind: spacing?.kind ?? null };
}

/** The region of an ultrasound image in which both ends lie. */
function regionOf({ regions }: Pick<Slice, "regions">, ...points: Point[]): Spacing | undefined {
  return regions.find(({ left, top, right, bottom }) => points.every(([x, y]) => x >= left && x <= right + 1 && y >= top && y <= bottom + 1));
}
