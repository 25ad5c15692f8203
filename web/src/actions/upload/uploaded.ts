import { signal } from "@preact/signals";

/** Rises when an upload has ended: what lists resources asks again. */
export const uploaded = signal(0);
