// A volume for the library that draws it: NIfTI of the server, made smaller while it comes where the computer could not
// draw it in time.

import type { Progress } from "../api/client";

const HEADER_BYTES = 352; // of NIfTI-1 in one file, with its extension flag
const DATATYPE = 70;
const PIXDIM = 80;
const SROW = 280;
const FLOAT32 = 16;

export interface Volume {
  bytes: ArrayBuffer;
  size: readonly [number, number, number];
  isReduced: boolean;
}

/** Reads a NIfTI file of int16 or float32 with at most `limit` voxels and sides of at most `side`; of larger ones only
 * every second, third… voxel in each direction. Raises an error where the file breaks off. */
export async function readVolume(body: ReadableStream<Uint8Array>, limit: number, side: number, progress: Progress): Promise<Volume> {
  const source = new Source(body, progress);
  const header = new DataView((await source.take(HEADER_BYTES)).slice().buffer);
  const [nx, ny, nz] = [42, 44, 46].map((at) => header.getUint16(at, true)) as [number, number, number];
  const bytes = header.getInt16(DATATYPE, true) === FLOAT32 ? 4 : 2;
  source.total = HEADER_BYTES + nx * ny * nz * bytes;
  const [across, deep] = steps(nx, ny, nz, limit, side);
  const size = [Math.ceil(nx / across), Math.ceil(ny / across), Math.ceil(nz / deep)] as const;
  const made = new Uint8Array(HEADER_BYTES + size[0] * size[1] * size[2] * bytes);
  made.set(new Uint8Array(header.buffer));
  adapt(new DataView(made.buffer), size, [across, across, deep]);
  let at = HEADER_BYTES;
  for (let z = 0; z < nz; z++) {
    const slice = await source.take(nx * ny * bytes);
    if (z % deep) continue;
    at = across === 1 ? copied(slice, made, at) : picked(slice, made, at, nx, ny, across, bytes);
  }
  return { bytes: made.buffer, size, isReduced: across > 1 || deep > 1 };
}

/** How many voxels further the next one is: in the slice, and from slice to slice. */
export function steps(nx: number, ny: number, nz: number, limit: number, side: number): [number, number] {
  let [across, deep] = [Math.max(Math.ceil(Math.max(nx, ny) / side), 1), Math.max(Math.ceil(nz / side), 1)];
  // Slices have more voxels than there are slices, as a rule: that side gives way first.
  while ((nx / across) * (ny / across) * (nz / deep) > limit) {
    if (Math.max(nx, ny) / across >= nz / deep) across++;
    else deep++;
  }
  return [across, deep];
}

function adapt(header: DataView, size: readonly number[], step: readonly number[]): void {
  for (const axis of [0, 1, 2]) {
    const by = step[axis] ?? 1;
    const scaled = (at: number) => header.setFloat32(at, header.getFloat32(at, true) * by, true);
    header.setInt16(42 + 2 * axis, size[axis] ?? 1, true);
    scaled(PIXDIM + 4 * axis);
    for (const row of [0, 1, 2]) scaled(SROW + 16 * row + 4 * axis);
  }
}

function copied(slice: Uint8Array, to: Uint8Array, at: number): number {
  to.set(slice, at);
  return at + slice.length;
}

function picked(slice: Uint8Array, to: Uint8Array, at: number, nx: number, ny: number, step: number, bytes: number): number {
  for (let y = 0; y < ny; y += step) {
    for (let x = 0; x < nx; x += step) {
      const from = (y * nx + x) * bytes;
      for (let each = 0; each < bytes; each++) to[at++] = slice[from + each] as number;
    }
  }
  return at;
}

/** Bytes in parts of the length that is asked for. */
class Source {
  total: number | null = null;
  private readonly reader;
  private readonly parts: Uint8Array[] = [];
  private held = 0;
  private done = 0;

  constructor(body: ReadableStream<Uint8Array>, private readonly progress: Progress) {
    this.reader = body.getReader();
  }

  async take(count: number): Promise<Uint8Array> {
    while (this.held < count) {
      const next = await this.reader.read();
      if (next.done) throw new Error("the answer broke off");
      this.parts.push(next.value);
      this.held += next.value.length;
      this.progress((this.done += next.value.length), this.total);
    }
    const taken = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const part = this.parts[0] as Uint8Array;
      const used = part.subarray(0, count - at);
      taken.set(used, at);
      at += used.length;
      if (used.length === part.length) this.parts.shift();
      else this.parts[0] = part.subarray(used.length);
    }
    this.held -= count;
    return taken;
  }
}
