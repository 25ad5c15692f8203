import type { Frame } from "./frame";
import type { Painter, Picture } from "./painter";
import { reduced } from "./painter";

/** Null where there is no 2D canvas. */
export function planePainter(canvas: HTMLCanvasElement): Painter | null {
  const context = canvas.getContext("2d", { alpha: false });
  const image = document.createElement("canvas");
  const imageContext = image.getContext("2d", { alpha: false });
  if (!context || !imageContext) return null;
  let lastFrame: Frame | null = null;
  let lastTable: Uint8Array | null = null;

  const clear = () => {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
  };
  return {
    kind: "2d",
    paint(whole: Picture) {
      const picture = reduced(whole);
      const { frame, table } = picture;
      if (frame !== lastFrame || table !== lastTable) {
        image.width = frame.columns;
        image.height = frame.rows;
        imageContext.putImageData(brightnessOf(frame, table), 0, 0);
        lastFrame = frame;
        lastTable = table;
      }
      clear();
      context.setTransform(...picture.matrix);
      context.imageSmoothingEnabled = picture.isSmooth;
      context.drawImage(image, 0, 0);
    },
    clear,
    dispose() { image.width = image.height = 0; },
  };
}

function brightnessOf(frame: Frame, table: Uint8Array): ImageData {
  const { columns, rows, codes, channels } = frame;
  const data = new ImageData(columns, rows);
  const pixels = new Uint32Array(data.data.buffer); // red is the lowest byte: browsers run on little endian only
  if (channels === 1) {
    const grey = Uint32Array.from(table, (level) => 0xff000000 | (level * 0x10101));
    for (let at = 0; at < pixels.length; at++) pixels[at] = grey[codes[at] as number] as number;
  } else {
    for (let at = 0, from = 0; at < pixels.length; at++, from += 3) {
      const red = table[codes[from] as number] as number;
      const green = table[codes[from + 1] as number] as number;
      const blue = table[codes[from + 2] as number] as number;
      pixels[at] = 0xff000000 | (blue << 16) | (green << 8) | red;
    }
  }
  return data;
}
