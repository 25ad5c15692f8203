// NiiVue, which draws volumes: a part of its own, loaded when somebody asks for one. Why this one: web/README.md.

import { NVImage, Niivue, SLICE_TYPE } from "@niivue/niivue";
import type { Window } from "./display";

export type VolumeMode = "reformats" | "volume";

export interface ShownVolume {
  setColours(name: string): void;
  close(): void;
}

const IN_SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;
const SOFTWARE_VOXELS = 3 << 20; // about half a second of two processors
const VOXELS = 256 << 20;

/** What this computer can draw: how many voxels, and how many along a side. */
export function drawable(): { voxels: number; side: number } {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) throw new Error("WebGL 2");
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const renderer = names ? String(gl.getParameter(names.UNMASKED_RENDERER_WEBGL)) : "";
  const side = gl.getParameter(gl.MAX_3D_TEXTURE_SIZE) as number;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return { voxels: IN_SOFTWARE.test(renderer) ? SOFTWARE_VOXELS : VOXELS, side };
}

/** Shows a volume, NIfTI, on a canvas. `located` is told the value under the cross, and where that is. */
export async function showVolume(
  canvas: HTMLCanvasElement, bytes: ArrayBuffer, mode: VolumeMode, window: Window | null,
  located: (value: number, millimetres: readonly number[]) => void,
): Promise<ShownVolume> {
  const drawing = new Niivue({
    backColor: [0, 0, 0, 1], crosshairColor: [0.4, 0.7, 0.95, 0.8], show3Dcrosshair: false, isColorbar: false, isOrientCube: mode === "volume",
    dragAndDropEnabled: false, loadingText: "", logLevel: "error", isRadiologicalConvention: true, sagittalNoseLeft: true,
    multiplanarShowRender: 0,
  });
  drawing.onLocationChange = (place) => {
    const { values, mm } = place as { values?: { value: number }[]; mm?: Float32Array };
    const value = values?.[0]?.value;
    if (value !== undefined && mm) located(value, Array.from(mm).slice(0, 3));
  };
  await drawing.attachToCanvas(canvas);
  const range = window ? { cal_min: window.center - window.width / 2, cal_max: window.center + window.width / 2 } : {};
  const image = await NVImage.loadFromUrl({ url: bytes, name: "volume.nii", ...range });
  drawing.setSliceType(mode === "volume" ? SLICE_TYPE.RENDER : SLICE_TYPE.MULTIPLANAR);
  drawing.addVolume(image);
  const { cal_min: low = 0, cal_max: high = 1 } = image;
  return {
    setColours(name) {
      drawing.setColormap(image.id, name);
      if (name === "gray") {
        image.cal_min = low;
        image.cal_max = high;
        drawing.updateGLVolume();
      }
    },
    close() {
      drawing.cleanup();
      drawing.gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}
