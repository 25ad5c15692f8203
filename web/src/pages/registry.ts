// All pages, by name. A page is a folder here; its module is loaded when it is shown for the first time.

import type { ComponentType } from "preact";
import { get } from "../api/client";
import type { Permission } from "../api/session";
import type { Language } from "../i18n";

export interface PageProperties {
  query: URLSearchParams;
}

export interface PageEntry {
  load: () => Promise<{ default: ComponentType<PageProperties> }>;
  permission: Permission;
  /** Its name in the navigation; a page without one is reached by links only. */
  navigation?: Record<Language, string>;
  /** Whether the server has what it shows, where that can be switched off; the navigation leaves it out if not. */
  isThere?: () => Promise<boolean>;
  /** The whole window, without header. */
  isBare?: boolean;
}

/** In the order of the navigation. */
export const pages: Readonly<Record<string, PageEntry>> = {
  instance: { load: () => import("./resources/instance_page"), permission: "browse" },
  patient: { load: () => import("./resources/patient_page"), permission: "browse" },
  series: { load: () => import("./resources/series_page"), permission: "browse" },
  study: { load: () => import("./resources/study_page"), permission: "browse" },
  studies: {
    load: () => import("./studies/studies_page"), permission: "browse",
    navigation: { en: "Studies", fr: "Études", de: "Studien", es: "Estudios" },
  },
  query: {
    load: () => import("./query/query_page"), permission: "upload",
    navigation: { en: "Query", fr: "Interroger", de: "Abfrage", es: "Consulta" },
  },
  jobs: {
    load: () => import("./jobs/jobs_page"), permission: "browse",
    navigation: { en: "Jobs", fr: "Tâches", de: "Aufträge", es: "Trabajos" },
  },
  changes: {
    load: () => import("./changes/changes_page"), permission: "browse",
    navigation: { en: "Changes", fr: "Changements", de: "Änderungen", es: "Cambios" },
  },
  worklists: {
    load: () => import("./worklists/worklists_page"), permission: "browse",
    navigation: { en: "Worklists", fr: "Listes de travail", de: "Arbeitslisten", es: "Listas de trabajo" },
    isThere: async () => (await get<string[]>("plugins")).includes("worklists"),
  },
  routing: {
    load: () => import("./routing/routing_page"), permission: "administrate",
    navigation: { en: "Routing", fr: "Routage", de: "Weiterleitung", es: "Enrutamiento" },
    isThere: () => get("routing").then(() => true),
  },
  administration: {
    load: () => import("./administration/administration_page"), permission: "administrate",
    navigation: { en: "Administration", fr: "Administration", de: "Verwaltung", es: "Administración" },
  },
  viewer: { load: () => import("../viewer/viewer_page"), permission: "browse", isBare: true },
};
