// To the viewer, with a study or with one of its series.

import { texts } from "../i18n";
import { href } from "../router";
import type { Action } from "./registry";

const say = texts({ en: { view: "View" }, fr: { view: "Visualiser" }, de: { view: "Betrachten" }, es: { view: "Ver" } });

export const view: Action = {
  id: "view",
  label: () => say("view"),
  icon: "eye",
  levels: ["Study", "Series"],
  permission: "browse",
  isOffered: ({ resources }) => resources.length === 1,
  href: ({ level, resources: [first] }) => href("viewer", { [level === "Study" ? "study" : "series"]: first?.ID }),
};
