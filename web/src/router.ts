// The address says which page is shown: `#study?uuid=ID`. Patients, studies, series and instances have the addresses of
// Orthanc Explorer, which other systems link to.

import { signal } from "@preact/signals";
import type { Level } from "./api/types";

export interface Route {
  page: string;
  query: URLSearchParams;
}

export const FIRST_PAGE = "studies";

/** Other addresses of pages: those of Orthanc Explorer, and `#/studies/ID` of this server's first front page. */
const ALIASES: Record<string, string> = { "": FIRST_PAGE, lookup: FIRST_PAGE, "find-studies": FIRST_PAGE };
const OLD_LEVELS: Record<string, string> = { patients: "patient", studies: "study", series: "series", instances: "instance" };

export function parse(hash: string): Route {
  const text = hash.replace(/^#\/?/, "");
  const mark = text.indexOf("?");
  const path = mark < 0 ? text : text.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1));
  const [name = "", id] = path.split("/");
  const level = OLD_LEVELS[name];
  if (id && level) {
    query.set("uuid", id);
    return { page: level, query };
  }
  return { page: ALIASES[name] ?? name, query };
}

export const route = signal<Route>(parse(location.hash));
addEventListener("hashchange", () => { route.value = parse(location.hash); });

type Values = Record<string, string | number | undefined> | URLSearchParams;

/** The address of a page, for links; values that are missing or empty are left out. */
export function href(page: string, values: Values = {}): string {
  const given = values instanceof URLSearchParams ? [...values] : Object.entries(values);
  const query = new URLSearchParams();
  for (const [name, value] of given) if (value !== undefined && value !== "") query.append(name, String(value));
  const text = query.toString();
  return `#${page}${text ? `?${text}` : ""}`;
}

export const pageOf: Record<Level, string> = { Patient: "patient", Study: "study", Series: "series", Instance: "instance" };

export function resourceHref(level: Level, id: string): string {
  return href(pageOf[level], { uuid: id });
}

/** Shows another page. With `replace` the one before is not in the browser's history: while somebody types. */
export function go(address: string, replace = false): void {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  route.value = parse(location.hash);
}
