// Dialogs: the browser's own, which keep the focus inside and give it back.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { useUnique } from "../hooks";
import { Icon } from "./icon";
import { say } from "./texts";

interface Properties {
  title: string;
  /** Called once, for Escape and the cross too. */
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

/** Open as long as it is there. */
export function Dialog({ title, onClose, wide = false, children }: Properties) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useUnique("dialog");
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => { if (before instanceof HTMLElement && before.isConnected) before.focus(); };
  }, []);
  return (
    <dialog ref={dialog} class={wide ? "wide" : ""} aria-labelledby={heading} onCancel={(event) => { event.preventDefault(); onClose(); }}>
      <header>
        <h2 id={heading}>{title}</h2>
        <button type="button" class="plain" aria-label={say("close")} onClick={onClose}><Icon name="close" /></button>
      </header>
      {children}
    </dialog>
  );
}

type Content = (close: () => void) => ComponentChildren;
const open = signal<{ key: number; content: ComponentChildren }[]>([]);
let last = 0;

/** Shows what `content` makes, a `Dialog` as a rule, until it calls `close`. */
export function openDialog(content: Content): void {
  const key = ++last;
  const close = () => { open.value = open.value.filter((each) => each.key !== key); };
  open.value = [...open.value, { key, content: content(close) }];
}

/** Where the dialogs of `openDialog` are; part of the layout. */
export function Dialogs() {
  return <>{open.value.map(({ key, content }) => <div key={key}>{content}</div>)}</>;
}

interface Question {
  title: string;
  text: ComponentChildren;
  /** What the button says that agrees. */
  yes: string;
  danger?: boolean;
}

/** Asks before something is done: true if the answer is yes. */
export function confirmed({ title, text, yes, danger = false }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    openDialog((close) => {
      const answer = (agreed: boolean) => { close(); resolve(agreed); };
      return (
        <Dialog title={title} onClose={() => answer(false)}>
          <div class="content">{text}</div>
          <footer>
            <button type="button" autofocus onClick={() => answer(false)}>{say("cancel")}</button>
            <button type="button" class={danger ? "danger" : "primary"} onClick={() => answer(true)}>{yes}</button>
          </footer>
        </Dialog>
      );
    });
  });
}
