// The frame of a dialog that orders a job: what the server refuses stands in it, and it stays open then.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { messageOf } from "../../api/client";
import { Dialog } from "../../components/dialog";
import { Refusal } from "../../components/refusal";
import { say } from "./texts";

interface Properties {
  title: string;
  /** What the button says that does it. */
  yes: string;
  canStart: boolean;
  start: () => Promise<string>;
  /** With the job, or null if nothing is to be done. */
  onClose: (job: string | null) => void;
  children: ComponentChildren;
}

export function OrderDialog({ title, yes, canStart, start, onClose, children }: Properties) {
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);

  function submitted(event: Event): void {
    event.preventDefault();
    setBusy(true);
    setError("");
    start().then(onClose, (refused) => {
      setError(messageOf(refused));
      setBusy(false);
    });
  }

  return (
    <Dialog title={title} onClose={() => onClose(null)}>
      <form class="order" onSubmit={submitted}>
        <div class="content">{children}</div>
        <Refusal text={error} />
        <footer>
          <button type="button" onClick={() => onClose(null)}>{say("cancel")}</button>
          <button type="submit" class="primary" disabled={!canStart || isBusy}>{yes}</button>
        </footer>
      </form>
    </Dialog>
  );
}
