// The tags of an instance by name, as `simplified-tags` gives them.

export type Tags = { readonly [name: string]: string | null | undefined | readonly Tags[] };

export function textOf(tags: Tags | undefined, name: string): string {
  const value = tags?.[name];
  return typeof value === "string" ? value.trim() : "";
}

/** The numbers of a value, those that are none as NaN; nothing where the tag is absent or empty. */
export function numbersOf(tags: Tags | undefined, name: string): number[] {
  const text = textOf(tags, name);
  return text === "" ? [] : text.split("\\").map((each) => (each.trim() === "" ? NaN : Number(each)));
}

export function numberOf(tags: Tags | undefined, name: string): number | undefined {
  const [found] = numbersOf(tags, name);
  return found !== undefined && Number.isFinite(found) ? found : undefined;
}

export function itemsOf(tags: Tags | undefined, name: string): readonly Tags[] {
  const value = tags?.[name];
  return Array.isArray(value) ? value : [];
}

export const itemOf = (tags: Tags | undefined, name: string): Tags | undefined => itemsOf(tags, name)[0];
