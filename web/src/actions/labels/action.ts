import { LEVELS } from "../../api/types";
import type { Action } from "../registry";
import { say } from "./texts";

export const label: Action = {
  id: "labels",
  label: () => say("labels"),
  icon: "label",
  levels: LEVELS,
  permission: "modify",
  run: async (selection, changed) => (await import("./labels_dialog")).editLabels(selection, changed),
};
