// What objects without a picture are called. Source: DICOM PS3.6, annex A.

const STORAGE = "1.2.840.10008.5.1.4.1.1.";

const NAMES: Record<string, string> = {
  "9.1.1": "12-lead ECG Waveform", "9.1.2": "General ECG Waveform", "9.1.3": "Ambulatory ECG Waveform", "9.2.1": "Hemodynamic Waveform", "9.4.1": "Basic Voice Audio Waveform",
  "11.1": "Grayscale Softcopy Presentation State", "11.2": "Color Softcopy Presentation State",
  "66": "Raw Data", "66.1": "Spatial Registration", "66.2": "Spatial Fiducials", "66.3": "Deformable Spatial Registration", "66.4": "Segmentation", "66.5": "Surface Segmentation", "66.6": "Tractography Results",
  "67": "Real World Value Mapping", "104.2": "Encapsulated CDA", "104.3": "Encapsulated STL", "104.4": "Encapsulated OBJ", "104.5": "Encapsulated MTL",
  "481.3": "RT Structure Set", "481.4": "RT Beams Treatment Record", "481.5": "RT Plan", "481.6": "RT Brachy Treatment Record", "481.7": "RT Treatment Summary Record", "481.8": "RT Ion Plan", "481.9": "RT Ion Beams Treatment Record",
};

/** The standard's name of a class, in English as it is known; nothing for others. */
export function sopClassName(uid: string): string | undefined {
  return uid.startsWith(STORAGE) ? NAMES[uid.slice(STORAGE.length)] : undefined;
}
