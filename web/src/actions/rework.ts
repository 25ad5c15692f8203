// What makes new resources of those that are there.

import { texts } from "../i18n";
import type { Action } from "./registry";

const say = texts({
  en: { anonymize: "Anonymize", modify: "Modify" },
  fr: { anonymize: "Anonymiser", modify: "Modifier" },
  de: { anonymize: "Anonymisieren", modify: "Ändern" },
  es: { anonymize: "Anonimizar", modify: "Modificar" },
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
