// Frames on a canvas: by WebGL 2 where there is a graphics processor for it, else by the 2D canvas.

import type { Frame } from "./frame";
import { halved } from "./frame";
import { glPainter } from "./gl_painter";
import { planePainter } from "./plane_painter";
import type { Matrix } from "./view";

export interface Picture {
  frame: Frame;
  /** Brightness of each code of the frame. */
  table: Uint8Array<ArrayBuffer>;
  /** From the frame's pixels to those of the canvas. */
  matrix: Matrix;
  /** Between pixels of the image: the mean of their brightness, or the nearest one. */
  isSmooth: boolean;
}

export interface Painter {
  kind: "webgl2" | "2d";
  paint(picture: Picture): void;
  clear(): void;
  /** Gives back what it has of the graphics processor. */
  dispose(): void;
}

/** The painter of a canvas. Raises an error where the browser has no way to paint on it. */
export function painterOf(canvas: HTMLCanvasElement): Painter {
  const painter = glPainter(canvas) ?? planePainter(canvas);
  if (!painter) throw new Error("this browser cannot draw on a canvas");
  return painter;
}

/** A picture that is shown much smaller than it is, as a smaller picture. */
export function reduced(picture: Picture): Picture {
  const [a, b, c, d, e, f] = picture.matrix;
  const scale = Math.min(Math.hypot(a, b), Math.hypot(c, d));
  const { columns, rows } = picture.frame;
  if (scale > 0.5 || columns < 2 || rows < 2) return picture;
  // An odd last column or row is left out, so the rest is stretched by less than a pixel.
  const frame = halved(picture.frame);
  const across = columns / frame.columns;
  const down = rows / frame.rows;
  return reduced({ ...picture, frame, matrix: [a * across, b * across, c * down, d * down, e, f] });
}
