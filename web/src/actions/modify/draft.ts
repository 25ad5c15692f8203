// What somebody has filled in of the form, and the request that it makes.

import type { Order, Verb } from "../../api/modification";
import type { Level, Tags } from "../../api/types";

/** What is done to a tag; nothing leaves it to the profile, or as it is. */
export type Treatment = "" | "Keep" | "Replace" | "Remove";

export interface TagRow {
  keyword: string;
  treatment: Treatment;
  value: string;
}

export interface Draft {
  tags: TagRow[];
  profile: string;
  options: string[];
  dateShift: string;
  key: string;
  /** Rectangles of pixels, one in each line: x1 y1 x2 y2. */
  masks: string;
  /** Private elements stay in an anonymization, go in a modification. */
  privateTags: boolean;
  keepSource: boolean;
  keepLabels: boolean;
  /** The images keep their identifiers: they are changed where they are. */
  inPlace: boolean;
}

export const PROFILES = ["2023b", "2021b", "2017c", "2008"] as const;
export const OPTIONS = [
  "CleanDescriptors", "RetainLongitudinalModifiedDates", "RetainLongitudinalFullDates", "RetainPatientCharacteristics", "RetainDeviceIdentity", "RetainInstitutionIdentity",
  "RetainUIDs", "RetainSafePrivate",
] as const;

const PATIENT = ["PatientName", "PatientID", "PatientBirthDate", "PatientSex"] as const;
const STUDY = ["StudyDate", "StudyDescription", "AccessionNumber", "StudyID", "ReferringPhysicianName", "InstitutionName"] as const;
const SERIES = ["SeriesDescription", "SeriesNumber", "BodyPartExamined"] as const;
export type UsualTag = (typeof PATIENT | typeof STUDY | typeof SERIES)[number];

/** The tags that the form begins with: those of the level and of what lies above it. */
export function usualTags(verb: Verb, level: Level): readonly UsualTag[] {
  if (level === "Patient") return verb === "modify" ? PATIENT : [...PATIENT, "StudyDate", "StudyDescription", "SeriesDescription"];
  if (level === "Study") return verb === "modify" ? [...PATIENT, ...STUDY] : [...PATIENT, ...STUDY, "SeriesDescription"];
  return verb === "modify" ? SERIES : [...PATIENT, "StudyDate", "StudyDescription", ...SERIES];
}

export function isUsual(keyword: string): keyword is UsualTag {
  return [...PATIENT, ...STUDY, ...SERIES].some((each) => each === keyword);
}

/** The form as it opens; `known` are the values of a single resource, for those that are replaced. */
export function firstDraft(verb: Verb, level: Level, known: Tags): Draft {
  return {
    tags: usualTags(verb, level).map((keyword) => ({ keyword, treatment: "", value: known[keyword] ?? "" })),
    profile: PROFILES[0], options: [], dateShift: "", key: "", masks: "", privateTags: false, keepSource: true, keepLabels: false, inPlace: false,
  };
}

/** The tags by which the server knows what belongs together. */
const IDENTIFIERS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"];
const NUMBERS: Record<string, string> = { "00100020": "PatientID", "0020000d": "StudyInstanceUID", "0020000e": "SeriesInstanceUID", "00080018": "SOPInstanceUID" };
const nameOf = (tag: string) => NUMBERS[tag.replace(/[^0-9a-f]/gi, "").toLowerCase()] ?? tag;

/** Whether the server wants `Force`: where something is done to an identifier by hand. */
export function needsForce(draft: Draft): boolean {
  return draft.inPlace || draft.tags.some(({ keyword, treatment }) => treatment && IDENTIFIERS.includes(nameOf(keyword)));
}

const IN_PLACE: Record<Level, string[]> = {
  Patient: ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
  Study: ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
  Series: ["SeriesInstanceUID", "SOPInstanceUID"],
  Instance: ["SOPInstanceUID"],
};

export function orderOf(verb: Verb, level: Level, draft: Draft): Order {
  const named = (treatment: Treatment) => draft.tags.filter((each) => each.treatment === treatment);
  const masks = draft.masks.split("\n").filter((line) => line.trim()).map((line) => ({ Region: line.trim().split(/[\s,;]+/).map(Number) }));
  const order: Order = {
    Replace: Object.fromEntries(named("Replace").map(({ keyword, value }) => [keyword, value])),
    Remove: named("Remove").map(({ keyword }) => keyword),
    Keep: [...named("Keep").map(({ keyword }) => keyword), ...(draft.inPlace ? IN_PLACE[level] : [])],
    KeepSource: draft.keepSource,
    KeepLabels: draft.keepLabels,
    ...(needsForce(draft) ? { Force: true } : {}),
    ...(masks.length ? { MaskPixels: masks } : {}),
  };
  if (verb === "modify") return { ...order, RemovePrivateTags: draft.privateTags };
  return {
    ...order, DicomVersion: draft.profile, KeepPrivateTags: draft.privateTags,
    ...(draft.options.length ? { Options: draft.options } : {}),
    ...(draft.dateShift ? { DateShift: Number(draft.dateShift) } : {}),
    ...(draft.key ? { PseudonymKey: draft.key } : {}),
  };
}
