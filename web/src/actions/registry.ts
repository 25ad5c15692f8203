// What can be done with selected resources: the list of studies shows it in a bar, the page of a resource in its head.
// An action is a module in this folder; it is added to `actions` below, in the order in which it is shown.

import type { IconName } from "../components/icon";
import type { Item } from "../components/menu";
import type { Permission } from "../api/session";
import type { Level, Resource } from "../api/types";
import { remove } from "./delete/action";
import { download } from "./download/action";
import { label } from "./labels/action";
import { protect, unprotect } from "./protect";
import { anonymize, merge, modify, split } from "./rework";
import { send } from "./send/action";
import { share } from "./share/action";
import { view } from "./view";

export interface Selection {
  level: Level;
  /** Never empty. */
  resources: Resource[];
}

export interface Action {
  id: string;
  label: () => string;
  icon: IconName;
  levels: readonly Level[];
  permission: Permission;
  danger?: boolean;
  /** False hides it: where something is not configured, or for more than one. */
  isOffered?: (selection: Selection) => boolean;
  /** An address to open instead of something to run. */
  href?: (selection: Selection) => string;
  /** A menu of things to run instead of one. */
  items?: (selection: Selection) => Item[];
  /** Resolves when it is done or called off. `changed` is called when what is shown is no longer so: the page asks the
   * server again, or shows what lies above if the resource is gone. What fails is shown by the caller. */
  run?: (selection: Selection, changed: () => void) => Promise<void>;
}

export const actions: readonly Action[] = [view, download, send, share, anonymize, modify, split, merge, label, protect, unprotect, remove];
