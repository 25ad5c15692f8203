// Texts in four languages. Each subject has its own: `const say = texts({ en: {…}, fr: {…}, de: {…}, es: {…} })` in a
// file beside its components, which the compiler refuses where a language lacks a key; `say("key", { name: value })`.

import { effect, signal } from "@preact/signals";
import { remember, remembered } from "../storage";

export type Language = "en" | "fr" | "de" | "es";
export const LANGUAGES: Record<Language, string> = { en: "English", fr: "Français", de: "Deutsch", es: "Español" };

function browserLanguage(): Language {
  for (const wanted of navigator.languages) {
    const short = wanted.slice(0, 2).toLowerCase();
    if (short in LANGUAGES) return short as Language;
  }
  return "en";
}

/** Components that say something follow it by themselves. */
export const language = signal<Language>(remembered<Language | null>("language", null) ?? browserLanguage());

effect(() => { document.documentElement.lang = language.value; });

export function chooseLanguage(wanted: Language): void {
  language.value = wanted;
  remember("language", wanted);
}

/** One text, or one for each number that the language knows; the number is the value `count`. */
export type Text = string | { one: string; other: string };
export type Values = Record<string, string | number>;
export type Say<K extends string> = (key: K, values?: Values) => string;

/** Numbers among the values are written as the language does. */
export function texts<const E extends Record<string, Text>>(
  all: { en: E } & Record<Exclude<Language, "en">, { [K in keyof E]: Text }>,
): Say<keyof E & string> {
  return (key, values = {}) => {
    const found: Text = all[language.value][key];
    const text = typeof found === "string" ? found : found[plural(Number(values.count))];
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      return value === undefined ? whole : typeof value === "number" ? formatNumber(value) : value;
    });
  };
}

const plural = (count: number) => (new Intl.PluralRules(language.value).select(count) === "one" ? "one" : "other");

export function formatNumber(value: number, digits = 0): string {
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value);
}

export function formatBytes(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
  return new Intl.NumberFormat(language.value, {
    style: "unit", unit: units[unit] ?? "byte", unitDisplay: unit === 0 ? "long" : "short", maximumFractionDigits: unit < 2 || bytes >= 100 ? 0 : 1,
  }).format(bytes);
}

/** A date of DICOM (YYYYMMDD) as the language writes it; anything else as it is. */
export function formatDate(text: string): string {
  const found = /^(\d{4})(\d\d)(\d\d)$/.exec(text);
  if (!found) return text;
  const date = new Date(Number(found[1]), Number(found[2]) - 1, Number(found[3]));
  // English dates mean another day on either side of the Atlantic: there it is that of ISO 8601.
  const locale = language.value === "en" ? "en-CA" : language.value;
  return new Intl.DateTimeFormat(locale, { year: "numeric", month: "2-digit", day: "2-digit" }).format(date);
}

/** A time of DICOM (HHMMSS.FFFFFF) to the minute; anything else as it is. */
export function formatTime(text: string): string {
  return text.replace(/^(\d\d)(\d\d)(\d\d(\.\d+)?)?$/, "$1:$2");
}

/** What Orthanc writes of a moment, YYYYMMDDTHHMMSS in UTC, in the time of the reader. */
export function formatMoment(text: string): string {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/.exec(text);
  if (!found) return text;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map(Number);
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(Date.UTC(year, month - 1, day, hour, minute, second));
}
