// What the server has refused, at the form that asked for it.

import { Icon } from "./icon";
import { Value } from "./value";

/** Nothing while `text` is empty. */
export function Refusal({ text }: { text: string }) {
  return text ? <p class="refused bad" role="alert"><Icon name="error" /> <Value text={text} /></p> : null;
}
