import { LEVELS } from "../../api/types";
import type { Action } from "../registry";
import { say } from "./texts";

export const send: Action = {
  id: "send",
  label: () => say("send"),
  icon: "send",
  levels: LEVELS,
  permission: "modify",
  run: async (selection) => (await import("./send_dialog")).send(selection),
};
