// A button that opens a small panel below it: for filters and choices that are more than a list.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { usePressOutside, useUnique } from "../hooks";

interface Properties {
  /** The name of button and panel. */
  label: string;
  /** What the button shows. */
  shown: ComponentChildren;
  class?: string;
  align?: "start" | "end";
  children: (close: () => void) => ComponentChildren;
}

export function Popover({ label, shown, class: style = "", align = "start", children }: Properties) {
  const [isOpen, setOpen] = useState(false);
  const panel = useUnique("panel");
  const root = usePressOutside<HTMLDivElement>(isOpen, () => setOpen(false));
  useLayoutEffect(() => {
    if (isOpen) root.current?.querySelector<HTMLElement>(".panel :is(button, input, select)")?.focus();
  }, [isOpen]);

  function close(): void {
    setOpen(false);
    root.current?.querySelector("button")?.focus();
  }

  function keyDown(event: KeyboardEvent): void {
    if (!isOpen || event.key !== "Escape") return;
    event.stopPropagation();
    close();
  }

  return (
    <div class="popover" ref={root} onKeyDown={keyDown}>
      <button type="button" class={style} aria-expanded={isOpen} aria-controls={isOpen ? panel : undefined} aria-haspopup="dialog"
        aria-label={label} onClick={() => setOpen(!isOpen)}>
        {shown}
      </button>
      {isOpen && <div id={panel} class={`panel ${align}`} role="dialog" aria-label={label}>{children(close)}</div>}
    </div>
  );
}
