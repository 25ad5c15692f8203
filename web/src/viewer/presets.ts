// Windows of CT that people know by name, in Hounsfield units.

import type { Window } from "./display";

export const PRESETS = {
  abdomen: { center: 40, width: 400 },
  lung: { center: -600, width: 1500 },
  bone: { center: 400, width: 1800 },
  brain: { center: 40, width: 80 },
  mediastinum: { center: 50, width: 350 },
  liver: { center: 60, width: 160 },
  angiography: { center: 300, width: 600 },
} as const satisfies Record<string, Window>;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
