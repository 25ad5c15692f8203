// Arrays of numbers as the server sends them (.npy, format 1.0 to 3.0): docs/volumes.md.

export type Values =
  | Uint8Array<ArrayBuffer> | Int8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

export interface NumberArray {
  shape: number[];
  values: Values;
}

const KINDS = {
  u1: Uint8Array, b1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array,
  u4: Uint32Array, i4: Int32Array, f4: Float32Array, f8: Float64Array,
} as const;

const MAGIC = "\x93NUMPY";

/** A view of the bytes, without a copy. Raises an error for what is no such file or is cut off. */
export function parseNpy(buffer: ArrayBuffer): NumberArray {
  const bytes = new DataView(buffer);
  if (buffer.byteLength < 12 || text(buffer, 0, 6) !== MAGIC) throw new Error("the server's answer is no array of numbers");
  const isLong = bytes.getUint8(6) > 1;
  const length = isLong ? bytes.getUint32(8, true) : bytes.getUint16(8, true);
  const start = (isLong ? 12 : 10) + length;
  const header = text(buffer, isLong ? 12 : 10, length);
  const kind = /'descr':\s*'[<|]([a-z]\d)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([\d, ]*)\)/.exec(header)?.[1]?.split(",").filter((each) => each.trim()).map(Number);
  if (kind === undefined || !(kind in KINDS) || shape === undefined) throw new Error(`an array of numbers that is not understood: ${header}`);
  const Kind = KINDS[kind as keyof typeof KINDS];
  const count = shape.reduce((product, size) => product * size, 1);
  if (buffer.byteLength < start + count * Kind.BYTES_PER_ELEMENT) throw new Error("the answer broke off");
  return { shape, values: new Kind(buffer, start, count) };
}

function text(buffer: ArrayBuffer, start: number, length: number): string {
  return String.fromCharCode(...new Uint8Array(buffer, start, length));
}
