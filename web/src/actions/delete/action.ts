import { seesAll } from "../../api/session";
import { LEVELS } from "../../api/types";
import type { Action } from "../registry";
import { say } from "./texts";

export const remove: Action = {
  id: "delete",
  label: () => say("delete"),
  icon: "delete",
  levels: LEVELS,
  permission: "delete",
  danger: true,
  // Of a patient others may see more than this user.
  isOffered: ({ level }) => level !== "Patient" || seesAll(),
  run: async (selection, changed) => (await import("./delete")).remove(selection, changed),
};
