// The shapes of the REST API, as far as the pages read them.

export type Level = "Patient" | "Study" | "Series" | "Instance";
export const LEVELS: readonly Level[] = ["Patient", "Study", "Series", "Instance"];
export type Tags = Record<string, string>;

/** A resource as the server expands it; `Series` and its like are there at the level above. */
export interface Resource {
  ID: string;
  Type: Level;
  MainDicomTags: Tags;
  PatientMainDicomTags?: Tags;
  RequestedTags?: Tags;
  Metadata?: Record<string, string>;
  Labels?: string[];
  LastUpdate?: string;
  IsStable?: boolean;
  IsProtected?: boolean;
  ParentPatient?: string;
  ParentStudy?: string;
  ParentSeries?: string;
  Studies?: string[];
  Series?: string[];
  Instances?: string[];
  Status?: string;
  ExpectedNumberOfInstances?: number | null;
  FileSize?: number;
  FileUuid?: string;
  IndexInSeries?: number | null;
}

/** An element of `instances/{id}/tags`. */
export interface Element {
  Name: string;
  Type: "String" | "Sequence" | "Null" | "TooLong" | "Binary";
  Value: string | null | Record<string, Element>[];
}

export interface Statistics {
  CountPatients: number;
  CountStudies: number;
  CountSeries: number;
  CountInstances: number;
  TotalDiskSize: string;
  TotalDiskSizeMB: number;
}

export interface System {
  Name: string;
  Version: string;
  ApiVersion: number;
  DicomAet: string;
  DicomPort: number;
  IsHttpServerSecure: boolean;
  ReadOnly: boolean;
  OverwriteInstances: string | boolean;
  /** The names of metadata that belong to users, with their numbers. */
  UserMetadata: Record<string, number>;
}
