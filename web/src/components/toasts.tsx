// Short messages at the edge. Those of errors, and those with a link, stay until they are closed.

import { signal } from "@preact/signals";
import { isAbort, messageOf } from "../api/client";
import { Icon } from "./icon";
import { say } from "./texts";
import { Value } from "./value";

type Kind = "good" | "bad";
const SHOWN = 6000; // milliseconds

/** Where to go from a message. */
export interface Link {
  label: string;
  href: string;
}

const toasts = signal<{ key: number; kind: Kind; text: string; link: Link | undefined }[]>([]);
let last = 0;

function close(key: number): void {
  toasts.value = toasts.value.filter((each) => each.key !== key);
}

/** A message with a link stays until it is closed or the link is followed. */
export function toast(text: string, kind: Kind = "good", link?: Link): void {
  const key = ++last;
  toasts.value = [...toasts.value, { key, kind, text, link }];
  if (kind === "good" && !link) setTimeout(() => close(key), SHOWN);
}

/** Says what went wrong, unless somebody has called it off. */
export function toastError(error: unknown): void {
  if (!isAbort(error)) toast(messageOf(error), "bad");
}

export function Toasts() {
  return (
    <section class="toasts" aria-label={say("notifications")} aria-live="polite">
      {toasts.value.map(({ key, kind, text, link }) => (
        <div key={key} class={`toast ${kind}`} role={kind === "bad" ? "alert" : "status"}>
          <Icon name={kind === "bad" ? "error" : "check"} />
          <Value text={text} short />
          {link && <a href={link.href} onClick={() => close(key)}>{link.label}</a>}
          <button type="button" class="plain" aria-label={say("close")} onClick={() => close(key)}><Icon name="close" /></button>
        </div>
      ))}
    </section>
  );
}
