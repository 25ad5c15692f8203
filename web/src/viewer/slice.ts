// What the tags say of one frame: how its values are meant, where it lies, how large its pixels are.

import type { Lut, Window, WindowFunction } from "./display";
import { type Orientation, orientationOf, type Vector } from "./orientation";
import { itemOf, itemsOf, numberOf, numbersOf, type Tags, textOf } from "./tags";

export interface NamedWindow extends Window {
  name: string;
}

/** Whose millimetres: of the patient, or of the detector, where the patient is smaller. */
export type SpacingKind = "patient" | "detector";

export interface Spacing {
  kind: SpacingKind;
  /** Millimetres from row to row, and from column to column. */
  row: number;
  column: number;
}

/** A part of an ultrasound image that has its own scale. */
export interface Region extends Spacing {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Slice {
  slope: number;
  intercept: number;
  units: string;
  modalityLut: Lut | null;
  voiLut: Lut | null;
  windows: NamedWindow[];
  windowFunction: WindowFunction;
  isInverted: boolean;
  padding: number | undefined;
  spacing: Spacing | null;
  regions: Region[];
  /** Height of a pixel for its width. */
  aspect: number;
  orientation: Orientation | null;
  position: Vector | null;
  location: number | undefined;
  number: string;
}

/** Tags that `sliceOf` reads of an image with one frame: of the instances of a series they are asked for together. */
export const SLICE_TAGS = [
  "SOPClassUID", "InstanceNumber", "NumberOfFrames", "RescaleSlope", "RescaleIntercept", "RescaleType", "Units", "WindowCenter",
  "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "PhotometricInterpretation", "PixelPaddingValue",
  "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio", "Modality",
  "ImageOrientationPatient", "ImagePositionPatient", "SliceLocation", "DoseGridScaling", "DoseUnits",
] as const;

export interface Luts {
  modality: Lut | null;
  voi: Lut | null;
}

const FUNCTIONS: readonly WindowFunction[] = ["LINEAR", "LINEAR_EXACT", "SIGMOID"];

/** With functional groups those of the frame win over shared ones, and both over the data set. */
export function sliceOf(tags: Tags, frame: number, luts: Luts = { modality: null, voi: null }): Slice {
  const own = itemsOf(tags, "PerFrameFunctionalGroupsSequence")[frame];
  const shared = itemOf(tags, "SharedFunctionalGroupsSequence");
  const group = (name: string): Tags => itemOf(own, name) ?? itemOf(shared, name) ?? tags;
  const values = group("PixelValueTransformationSequence");
  const voi = group("FrameVOILUTSequence");
  const spacing = spacingOf(tags, group("PixelMeasuresSequence"));
  const position = numbersOf(group("PlanePositionSequence"), "ImagePositionPatient");
  const wanted = textOf(voi, "VOILUTFunction").toUpperCase() as WindowFunction;
  return {
    slope: numberOf(values, "RescaleSlope") || numberOf(tags, "DoseGridScaling") || 1,
    intercept: numberOf(values, "RescaleIntercept") ?? 0,
    units: unitsOf(tags, values),
    modalityLut: luts.modality,
    voiLut: luts.voi,
    windows: windowsOf(voi),
    windowFunction: FUNCTIONS.includes(wanted) ? wanted : "LINEAR",
    isInverted: textOf(tags, "PhotometricInterpretation") === "MONOCHROME1",
    padding: numberOf(tags, "PixelPaddingValue"),
    spacing,
    regions: itemsOf(tags, "SequenceOfUltrasoundRegions").flatMap(regionOf),
    aspect: aspectOf(tags, spacing),
    orientation: orientationOf(numbersOf(group("PlaneOrientationSequence"), "ImageOrientationPatient")),
    position: position.length === 3 && position.every(Number.isFinite) ? (position as unknown as Vector) : null,
    location: numberOf(tags, "SliceLocation"),
    number: textOf(tags, "InstanceNumber"),
  };
}

function windowsOf(tags: Tags): NamedWindow[] {
  const widths = numbersOf(tags, "WindowWidth");
  const names = textOf(tags, "WindowCenterWidthExplanation").split("\\");
  return numbersOf(tags, "WindowCenter").flatMap((center, at) => {
    const width = widths[at];
    if (!Number.isFinite(center) || width === undefined || !Number.isFinite(width)) return [];
    return [{ center, width, name: (names[at] ?? "").trim() }];
  });
}

function unitsOf(tags: Tags, values: Tags): string {
  const kind = textOf(values, "RescaleType");
  if (kind && kind !== "US") return kind;
  if (textOf(tags, "Modality") === "CT") return "HU";
  if (textOf(tags, "DoseUnits") === "GY") return "Gy";
  const units = textOf(tags, "Units");
  return units === "BQML" ? "Bq/ml" : units === "CNTS" ? "" : units;
}

function spacingOf(tags: Tags, measures: Tags): Spacing | null {
  const of = (from: Tags, name: string, kind: SpacingKind): Spacing | null => {
    const [row, column = row] = numbersOf(from, name);
    return row !== undefined && column !== undefined && row > 0 && column > 0 ? { kind, row, column } : null;
  };
  const patient = of(measures, "PixelSpacing", "patient");
  const detector = of(tags, "ImagerPixelSpacing", "detector") ?? of(tags, "NominalScannedPixelSpacing", "detector");
  // A projection whose spacing is that of its detector has not been calibrated, whatever the tag is called.
  const isDetectors = patient && detector && patient.row === detector.row && patient.column === detector.column;
  return isDetectors ? detector : (patient ?? detector);
}

function aspectOf(tags: Tags, spacing: Spacing | null): number {
  if (spacing) return spacing.row / spacing.column;
  const [down, across] = numbersOf(tags, "PixelAspectRatio");
  return down !== undefined && across !== undefined && down > 0 && across > 0 ? down / across : 1;
}

const CENTIMETRES = 3; // PS3.3 C.8.5.5.1.15

function regionOf(tags: Tags): Region[] {
  const number = (name: string) => numberOf(tags, name) ?? NaN;
  const [column, row] = [number("PhysicalDeltaX") * 10, number("PhysicalDeltaY") * 10].map(Math.abs) as [number, number];
  if (number("PhysicalUnitsXDirection") !== CENTIMETRES || number("PhysicalUnitsYDirection") !== CENTIMETRES || !(row > 0 && column > 0)) return [];
  return [{
    kind: "patient", row, column,
    left: number("RegionLocationMinX0"), top: number("RegionLocationMinY0"),
    right: number("RegionLocationMaxX1"), bottom: number("RegionLocationMaxY1"),
  }];
}
