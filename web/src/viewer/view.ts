// Where the image lies on the screen. Image coordinates count pixels from the upper left corner of the first one.

export interface View {
  /** Pixels of the screen for a column of the image. */
  zoom: number;
  /** From the middle of the screen to the middle of the image. */
  panX: number;
  panY: number;
  /** Quarter turns clockwise. */
  turns: number;
  isMirrored: boolean;
}

/** As of a canvas: x' = a x + c y + e, y' = b x + d y + f. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export interface Size {
  columns: number;
  rows: number;
  /** Height of a pixel for its width. */
  aspect: number;
}

const TURNS = [[1, 0], [0, 1], [-1, 0], [0, -1]] as const;

/** From image coordinates to those of a screen of that size. */
export function matrixOf(view: View, image: Size, width: number, height: number): Matrix {
  const [cos, sin] = TURNS[((view.turns % 4) + 4) % 4] ?? TURNS[0];
  const across = view.zoom * (view.isMirrored ? -1 : 1);
  const down = view.zoom * image.aspect;
  const a = cos * across;
  const b = sin * across;
  const c = -sin * down;
  const d = cos * down;
  const e = width / 2 + view.panX - (a * image.columns + c * image.rows) / 2;
  const f = height / 2 + view.panY - (b * image.columns + d * image.rows) / 2;
  return [a, b, c, d, e, f];
}

export function inverse([a, b, c, d, e, f]: Matrix): Matrix {
  const det = a * d - b * c;
  return [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det];
}

export type Point = readonly [number, number];

export function applied([a, b, c, d, e, f]: Matrix, [x, y]: Point): Point {
  return [a * x + c * y + e, b * x + d * y + f];
}

/** The zoom with which the whole image is seen. */
export function fittingZoom(image: Size, turns: number, width: number, height: number): number {
  const sides: [number, number] = [image.columns, image.rows * image.aspect];
  if (turns % 2) sides.reverse();
  return Math.max(Math.min(width / sides[0], height / sides[1]), 1e-3);
}

/** The view with another zoom, the point of the screen where it was. */
export function zoomedAt(view: View, factor: number, [x, y]: Point, width: number, height: number): View {
  const zoom = Math.min(Math.max(view.zoom * factor, 0.01), 64);
  const real = zoom / view.zoom;
  const fromX = x - width / 2;
  const fromY = y - height / 2;
  return { ...view, zoom, panX: fromX + (view.panX - fromX) * real, panY: fromY + (view.panY - fromY) * real };
}
