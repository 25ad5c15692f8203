// What makes new resources of those that are there.

import { texts } from "../i18n";
import type { Action } from "./registry";

const say = texts({
  en: { anonymize: "Anonymize", modify: "Modify", split: "Split", merge: "Merge" },
  fr: { anonymize: "Anonymiser", modify: "Modifier", split: "Scinder", merge: "Fusionner" },
  de: { anonymize: "Anonymisieren", modify: "Ändern", split: "Teilen", merge: "Zusammenführen" },
  es: { anonymize: "Anonimizar", modify: "Modificar", split: "Dividir", merge: "Unir" },
});

export const anonymize: Action = {
  id: "anonymize",
  label: () => say("anonymize"),
  icon: "person",
  levels: ["Patient", "Study", "Series"],
  permission: "modify",
  run: async (...all) => (await import("./modify/modify")).modify("anonymize", ...all),
};

export const modify: Action = {
  id: "modify",
  label: () => say("modify"),
  icon: "modify",
  levels: ["Patient", "Study", "Series"],
  permission: "modify",
  run: async (...all) => (await import("./modify/modify")).modify("modify", ...all),
};

export const split: Action = {
  id: "split",
  label: () => say("split"),
  icon: "columns",
  levels: ["Study"],
  permission: "modify",
  isOffered: ({ resources: [study, ...others] }) => others.length === 0 && (study?.Series?.length ?? 0) > 1,
  run: async (...all) => (await import("./regroup/split")).split(...all),
};

export const merge: Action = {
  id: "merge",
  label: () => say("merge"),
  icon: "link",
  levels: ["Study", "Series"],
  permission: "modify",
  run: async (...all) => (await import("./regroup/merge")).merge(...all),
};
