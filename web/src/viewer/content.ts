// What a series is: pictures that are scrolled through, documents, videos, reports, or something that has no picture.

import { get, getText, part, request } from "../api/client";
import { type Lut, lutOf } from "./display";
import type { FramePlace } from "./frame_loader";
import { type Luts, SLICE_TAGS } from "./slice";
import { itemOf, itemsOf, numberOf, numbersOf, type Tags, textOf } from "./tags";

export type Kind = "stack" | "pdf" | "video" | "report" | "other";

const PDF = "1.2.840.10008.5.1.4.1.1.104.1";
const REPORTS = "1.2.840.10008.5.1.4.1.1.88.";
const SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.";
const VIDEO = /^1\.2\.840\.10008\.1\.2\.4\.10[0-8]$/;

/** Kind of an instance by its tags and its transfer syntax. */
export function kindOf(tags: Tags, transferSyntax: string): Kind {
  const sopClass = textOf(tags, "SOPClassUID");
  if (sopClass === PDF) return "pdf";
  if (sopClass.startsWith(REPORTS)) return "report";
  if (sopClass.startsWith(SEGMENTATION)) return "other";
  if (VIDEO.test(transferSyntax)) return "video";
  return numberOf(tags, "Rows") && numberOf(tags, "Columns") ? "stack" : "other";
}

interface OrderedSlices {
  SlicesShort: [instance: string, first: number, count: number][];
}

/** The frames of a series in their order. */
export async function framePlaces(series: string, stop: AbortSignal): Promise<FramePlace[]> {
  const { SlicesShort } = await get<OrderedSlices>(`series/${part(series)}/ordered-slices`, { signal: stop });
  return SlicesShort.flatMap(([instance, first, count]) => Array.from({ length: count }, (_, each) => ({ instance, frame: first + each })));
}

/** Where to begin: in the middle of what lies side by side, at the beginning of what follows in time. */
export function startOf(places: readonly FramePlace[]): number {
  const isOne = places.every(({ instance }) => instance === places[0]?.instance);
  return isOne ? 0 : places.length >> 1;
}

export interface Described {
  tags: Tags;
  kind: Kind;
}

export async function described(instance: string, stop: AbortSignal): Promise<Described> {
  const options = { signal: stop };
  const [tags, syntax] = await Promise.all([
    get<Tags>(`instances/${part(instance)}/simplified-tags`, options),
    getText(`instances/${part(instance)}/metadata/TransferSyntax`, options).catch(() => ""),
  ]);
  return { tags, kind: kindOf(tags, syntax) };
}

/** The tags of all instances that say how they are shown, by instance. */
export async function sliceTags(series: string, stop: AbortSignal): Promise<Map<string, Tags>> {
  const query = { expand: true, "requested-tags": SLICE_TAGS.join(";") };
  const found = await get<{ ID: string; RequestedTags: Tags }[]>(`series/${part(series)}/instances`, { query, signal: stop });
  return new Map(found.map(({ ID, RequestedTags }) => [ID, RequestedTags]));
}

export function hasLuts(tags: Tags): boolean {
  return itemsOf(tags, "ModalityLUTSequence").length > 0 || itemsOf(tags, "VOILUTSequence").length > 0;
}

/** The lookup tables of an instance. */
export async function lutsOf(instance: string, tags: Tags, stop: AbortSignal): Promise<Luts> {
  const [modality, voi] = await Promise.all([
    loadedLut(instance, tags, "ModalityLUTSequence", "0028-3000", stop),
    loadedLut(instance, tags, "VOILUTSequence", "0028-3010", stop),
  ]);
  return { modality, voi };
}

async function loadedLut(instance: string, tags: Tags, name: string, sequence: string, stop: AbortSignal): Promise<Lut | null> {
  const item = itemOf(tags, name);
  if (!item) return null;
  const [count = 0, first = 0, bits = 16] = numbersOf(item, "LUTDescriptor");
  const answer = await request("GET", `instances/${part(instance)}/content/${sequence}/0/0028-3006`, null, { signal: stop });
  const bytes = await answer.arrayBuffer();
  // A length of 65536 does not fit into its 16 bits and is written as 0. Entries of 8 bits may be packed.
  const length = count || 65536;
  const entries = bytes.byteLength >= length * 2 ? new Uint16Array(bytes, 0, length) : Uint16Array.from(new Uint8Array(bytes, 0, Math.min(length, bytes.byteLength)));
  return entries.length ? lutOf(entries, isSigned(tags) && first > 32767 ? first - 65536 : first, bits) : null;
}

const isSigned = (tags: Tags) => numberOf(tags, "PixelRepresentation") === 1;

/** Frames for each second, as the file has it; nothing where it is no film. */
export function frameRate(tags: Tags): number | undefined {
  const time = numberOf(tags, "FrameTime") ?? numbersOf(tags, "FrameTimeVector")[1];
  const rate = numberOf(tags, "RecommendedDisplayFrameRate") ?? numberOf(tags, "CineRate") ?? (time ? 1000 / time : undefined);
  return rate !== undefined && rate > 0 ? rate : undefined;
}
