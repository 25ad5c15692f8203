// What a page shows instead of what was asked for: it is coming, there is none, it failed.

import type { ComponentChildren } from "preact";
import { messageOf } from "../api/client";
import { Icon } from "./icon";
import { say } from "./texts";
import { Value } from "./value";

export function Loading() {
  return <p class="state quiet" role="status"><span class="spinner" aria-hidden="true" /> {say("loading")}</p>;
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="state quiet">{children}</div>;
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div class="state" role="alert">
      <p class="bad"><Icon name="error" /> {say("failed")}</p>
      <p class="quiet"><Value text={messageOf(error)} /></p>
      {retry && <button type="button" onClick={retry}>{say("retry")}</button>}
    </div>
  );
}
