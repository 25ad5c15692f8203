// What the list of studies is asked for. It stands in the address, so that a search can be kept, shared and gone back to.

import type { Order, Page, Search } from "../../api/resources";
import type { Sort } from "../../components/table";
import { remember, remembered } from "../../storage";

/** Fields in which words are looked for anywhere. */
export const TEXT_FIELDS = ["PatientName", "PatientID", "StudyDescription", "AccessionNumber"] as const;
export type TextField = (typeof TEXT_FIELDS)[number];

export interface Wanted {
  texts: Record<TextField, string>;
  /** Days as YYYY-MM-DD, empty without a bound. */
  from: string;
  to: string;
  modalities: string[];
  labels: string[];
  sort: Sort;
  page: number;
  size: number;
}

export const SIZES = [25, 50, 100, 200];
export const FIRST_SORT: Sort = { column: "StudyDate", descending: true };

const list = (text: string | null) => (text ? text.split(",").filter(Boolean) : []);
const day = (text: string | null) => (/^\d{4}-\d\d-\d\d$/.test(text ?? "") ? text ?? "" : "");

export function read(query: URLSearchParams): Wanted {
  const sort = query.get("sort");
  return {
    texts: Object.fromEntries(TEXT_FIELDS.map((field) => [field, query.get(field) ?? ""])) as Wanted["texts"],
    from: day(query.get("from")),
    to: day(query.get("to")),
    modalities: list(query.get("modality")),
    labels: query.getAll("label"),
    sort: sort ? { column: sort.replace(/^-/, ""), descending: sort.startsWith("-") } : FIRST_SORT,
    page: Math.max(1, Math.trunc(Number(query.get("page"))) || 1),
    size: remembered("studies.size", 50),
  };
}

export function write(wanted: Wanted): URLSearchParams {
  const { texts, from, to, modalities, labels, sort, page } = wanted;
  const query = new URLSearchParams();
  for (const field of TEXT_FIELDS) if (texts[field]) query.set(field, texts[field]);
  if (from) query.set("from", from);
  if (to) query.set("to", to);
  if (modalities.length) query.set("modality", modalities.join(","));
  for (const label of labels) query.append("label", label);
  if (sort.column !== FIRST_SORT.column || sort.descending !== FIRST_SORT.descending) query.set("sort", `${sort.descending ? "-" : ""}${sort.column}`);
  if (page > 1) query.set("page", String(page));
  remember("studies.size", wanted.size);
  return query;
}

export function isFiltered({ texts, from, to, modalities, labels }: Wanted): boolean {
  return Boolean(from || to || modalities.length || labels.length || Object.values(texts).some((text) => text.trim()));
}

/** Words anywhere; who writes wildcards means the whole value. Names are shown with spaces where carets stand. */
function pattern(field: TextField, typed: string): string {
  const text = typed.trim();
  if (!text || /[*?]/.test(text)) return text;
  // A backslash would make a list of it, in which nothing is a wildcard.
  const words = text.replaceAll("\\", "?");
  return `*${field === "PatientName" ? words.replace(/\s+/g, "*") : words}*`;
}

export function search(wanted: Wanted): Search {
  const query: Record<string, string> = {};
  for (const field of TEXT_FIELDS) {
    const text = pattern(field, wanted.texts[field]);
    if (text) query[field] = text;
  }
  if (wanted.from || wanted.to) query.StudyDate = `${wanted.from.replaceAll("-", "")}-${wanted.to.replaceAll("-", "")}`;
  if (wanted.modalities.length) query.ModalitiesInStudy = wanted.modalities.join("\\");
  return { Level: "Study", Query: query, ...(wanted.labels.length ? { Labels: wanted.labels, LabelsConstraint: "All" as const } : {}) };
}

export function page(wanted: Wanted, requested: string[]): Page {
  const direction = wanted.sort.descending ? "DESC" : "ASC";
  // In the order of the index, upper and lower case alike: the first page comes at once from a million studies too.
  const order: Order[] = wanted.sort.column === "LastUpdate"
    ? [{ Type: "Metadata", Key: "LastUpdate", Direction: direction }]
    : [{ Type: "DicomTagFolded", Key: wanted.sort.column, Direction: direction }];
  if (wanted.sort.column === "StudyDate") order.push({ Type: "DicomTagFolded", Key: "StudyTime", Direction: direction });
  return { OrderBy: order, Limit: wanted.size, Since: (wanted.page - 1) * wanted.size, RequestedTags: requested };
}
