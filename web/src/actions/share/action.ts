import { session } from "../../api/session";
import type { Action } from "../registry";
import { say } from "./texts";

export const share: Action = {
  id: "share",
  label: () => say("share"),
  icon: "share",
  levels: ["Study"],
  permission: "modify",
  // Where nobody logs in the address of the page itself is such a link.
  isOffered: ({ resources }) => resources.length === 1 && session.value?.LoginAvailable === true,
  run: async (selection) => (await import("./share_dialog")).shareStudy(selection),
};
