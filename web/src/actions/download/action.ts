// Files of what is selected, which the browser saves by itself.

import { address, part } from "../../api/client";
import { pathOf } from "../../api/resources";
import { LEVELS, type Resource } from "../../api/types";
import type { Item } from "../../components/menu";
import { toastError } from "../../components/toasts";
import { fileName } from "../names";
import type { Action, Selection } from "../registry";
import { say } from "./texts";

/** As many as an address has room for behind any proxy; more are packed by a job. */
const MOST_IN_ADDRESS = 100;

export const download: Action = {
  id: "download",
  label: () => say("download"),
  icon: "download",
  levels: LEVELS,
  permission: "browse",
  items: itemsOf,
};

function itemsOf(selection: Selection): Item[] {
  const { level, resources: [first] } = selection;
  if (level === "Instance" && first) {
    const name = fileName([first], say("file"), "dcm");
    return [{ id: "file", label: say("file"), icon: "download", href: address(`instances/${part(first.ID)}/file`), download: name }];
  }
  const items = [packed(selection, "archive"), packed(selection, "media")];
  return level === "Series" && first && selection.resources.length === 1 ? [...items, ...arrays(first)] : items;
}

function packed({ level, resources }: Selection, kind: "archive" | "media"): Item {
  const filename = fileName(resources, say("several"), "zip");
  const shared = { id: kind, label: say(kind), icon: "archive" } as const;
  const ids = resources.map(({ ID }) => ID);
  if (ids.length > MOST_IN_ADDRESS) {
    return { ...shared, run: () => { import("./pack").then(({ pack }) => pack(kind, ids, filename)).catch(toastError); } };
  }
  const [only] = ids;
  const href = only !== undefined && ids.length === 1
    ? address(`${pathOf(level, only)}/${kind}`, { filename })
    : address(`tools/create-${kind}`, { resources: ids.join(","), filename });
  return { ...shared, href, download: filename };
}

/** Not every series is an array: a reason is told before the browser is sent for it. */
function arrays(series: Resource): Item[] {
  return (["numpy", "nifti"] as const).map((kind, index) => ({
    id: kind, label: say(kind), separated: index === 0,
    run: () => {
      const name = fileName([series], say("several"), kind === "numpy" ? "npy" : "nii");
      import("./pack").then(({ saveArray }) => saveArray(`series/${part(series.ID)}/${kind}`, name)).catch(toastError);
    },
  }));
}
